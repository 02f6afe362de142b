package fsm

// Set names rows that a blocking read waits for: a table, or one cluster with its nodes.
type Set struct {
	table   string
	cluster string
}

// The sets that can be waited for.
var (
	SetDiscoveries = Set{table: tableDiscoveries}
	SetClusters    = Set{table: tableClusters}
	SetNodes       = Set{table: tableNodes}
	SetClaims      = Set{table: indexClaims}
	SetPeers       = Set{table: tablePeers}
	SetSettings    = Set{table: tableSettings}
	SetEvents      = Set{table: tableEvents}
	SetTokens      = Set{table: tableTokens}
)

// SetCluster is one cluster with its nodes.
func SetCluster(name string) Set { return Set{table: tableClusters, cluster: name} }

// Wait is what a blocking read holds: the index of the set as read, and two channels, one of which closes when a later state
// may differ. The index is never 0 and never falls when rows go.
type Wait struct {
	Index     uint64
	Changed   <-chan struct{}
	Abandoned <-chan struct{}
}

// Wait reads the index of a set and what closes when it moves. For a cluster that is not there it is the index of the
// table.
func (r *Reader) Wait(s Set) Wait {
	if s.cluster != "" {
		changed, raw, err := r.txn.FirstWatch(tableClusters, byName, []byte(s.cluster))
		if err != nil {
			panic(err)
		}
		if raw != nil {
			return Wait{Index: raw.(*Cluster).Index, Changed: changed, Abandoned: r.abandoned}
		}
		return Wait{Index: r.Wait(SetClusters).Index, Changed: changed, Abandoned: r.abandoned}
	}
	changed, raw, err := r.txn.FirstWatch(tableIndex, byID, []byte(s.table))
	if err != nil {
		panic(err)
	}
	w := Wait{Index: 1, Changed: changed, Abandoned: r.abandoned}
	if raw != nil {
		w.Index = raw.(*indexRow).Index
	}
	return w
}

// Applied is the index of the last applied entry and what closes when another is.
func (r *Reader) Applied() Wait {
	changed, raw, err := r.txn.FirstWatch(tableMeta, byID, nil0)
	if err != nil {
		panic(err)
	}
	return Wait{Index: raw.(*Meta).Index, Changed: changed, Abandoned: r.abandoned}
}
