package fsm

// Change is facts about one cluster, computed from its version Base. Id and base 0 with a name: a cluster that is not there
// yet.
type Change struct {
	Cluster uint64 `cbor:"1,keyasint,omitempty"`
	Name    string `cbor:"2,keyasint,omitempty"` // of a new cluster
	Base    uint64 `cbor:"3,keyasint,omitempty"`
	Facts   []Fact `cbor:"4,keyasint,omitempty"`
}

// judged is a change that was checked and folded, ready to be written.
type judged struct {
	id     uint64
	row    *Cluster // before; nil for a new cluster
	before map[string]*Node
	view   *View // after
	facts  []Fact
	wire   []wireFact // the facts, encoded
}

// judge checks a change against the state and folds it beside it. It writes nothing. The error is CodeStale, with the
// version in Fields["index"], when the cluster has moved.
func (tx *txn) judge(c Change) (*judged, error) {
	j := &judged{
		id: c.Cluster, facts: c.Facts, before: map[string]*Node{}, wire: make([]wireFact, 0, len(c.Facts)),
	}
	if c.Cluster != 0 {
		j.row = tx.ClusterByID(c.Cluster)
	} else {
		j.row = tx.Cluster(c.Name)
	}
	at := uint64(0)
	if j.row != nil {
		at = j.row.Index
	}
	if at != c.Base || (j.row == nil) != (c.Cluster == 0) {
		return nil, stale(at)
	}
	j.view = &View{Cluster: j.row, Nodes: map[string]*Node{}}
	for _, f := range c.Facts {
		if f.Node == "" || j.before[f.Node] != nil {
			continue
		}
		if n := tx.Node(c.Cluster, f.Node); n != nil {
			j.before[f.Node], j.view.Nodes[f.Node] = n, n
		}
	}
	if err := foldAll(j.view, c.Facts, &j.wire); err != nil {
		return nil, Errorf(CodeStale, "%s", err).With("index", itoa(int(at)))
	}
	if len(c.Facts) > 0 && j.view.Cluster == nil {
		return j, tx.emptied(j)
	}
	return j, nil
}

// emptied says whether a cluster that goes was there and leaves no node behind.
func (tx *txn) emptied(j *judged) error {
	if j.row == nil {
		return Errorf(CodeInvalid, "a new cluster begins with %s", ClusterDiscovered)
	}
	left := len(j.view.Nodes)
	for n := range tx.Nodes(j.id) {
		if j.before[n.ID] == nil {
			left++
		}
	}
	if left > 0 {
		return Errorf(CodeInvalid, "cluster %q still has %d of its nodes", j.row.Name, left)
	}
	return nil
}

func stale(at uint64) *Error {
	return Errorf(CodeStale, "the cluster is at version %d now", at).With("index", itoa(int(at)))
}

// write stores what judge folded and appends its events. It returns the cluster's id: a new one for a new cluster.
func (tx *txn) write(j *judged, name string, cause Cause) uint64 {
	if j.row != nil {
		name = j.row.Name
	} else {
		tx.meta.Cluster++
		j.id = tx.meta.Cluster
		tx.schedule(Subject{KindRefresh, j.id}, func(s *Schedule) { s.AtOnce = true })
	}
	tx.appendAll(j, name, cause)
	put, gone := j.moved()
	for _, n := range put {
		n.Index = tx.index
	}
	tx.putNodes(j.id, put, gone)
	tx.unlist(j.id, gone)
	if j.view.Cluster == nil {
		tx.drop(tableClusters, j.row)
		tx.forget(Subject{KindRefresh, j.id})
		return j.id
	}
	tx.move(j.id, name, j.view.Cluster)
	if wantsRefresh(j.facts) {
		tx.atOnce(Subject{KindRefresh, j.id})
	}
	return j.id
}

// moved are the nodes that the change writes, and the ids of those it takes away.
func (j *judged) moved() (put []*Node, gone []string) {
	for _, id := range sortedKeys(j.view.Nodes) {
		if n := j.view.Nodes[id]; n != j.before[id] {
			put = append(put, n)
		}
	}
	for _, id := range sortedKeys(j.before) {
		if j.view.Nodes[id] == nil {
			gone = append(gone, id)
		}
	}
	return put, gone
}

// move writes a cluster's row with a new version.
func (tx *txn) move(id uint64, name string, row *Cluster) {
	c := *row
	c.ID, c.Name, c.Index = id, name, tx.index
	tx.put(tableClusters, &c)
	tx.touch(Subject{KindRefresh, id})
}

// appendAll appends a change's facts, each with whether its node is in maintenance when it is told.
func (tx *txn) appendAll(j *judged, name string, cause Cause) {
	for _, f := range j.wire {
		n := j.view.Nodes[f.Node]
		if n == nil {
			n = j.before[f.Node]
		}
		tx.appendWire(name, n != nil && n.Lifecycle == Maintenance, cause, f)
	}
}

// wantsRefresh says whether facts bring in a node that is to be asked at once: one that was not asked, was asked elsewhere, or
// has come back. One in maintenance is asked all along.
func wantsRefresh(facts []Fact) bool {
	for _, f := range facts {
		switch f.Type {
		case NodeDiscovered, NodeCommissioned, NodeChanged, NodeReturned:
			return true
		}
	}
	return false
}

// ClusterChange is an operator's change of clusters: settings, lifecycle of nodes, an empty cluster deleted. It is all or
// nothing, and has one Change for each cluster: each is judged on the state before any is written.
type ClusterChange struct {
	Changes []Change `cbor:"1,keyasint"`
	Cause   Cause    `cbor:"2,keyasint"`
}

func (*ClusterChange) number() uint64 { return 40 }

func (c *ClusterChange) apply(tx *txn) Result {
	all, named := make([]*judged, 0, len(c.Changes)), map[string]bool{}
	for _, ch := range c.Changes {
		j, err := tx.judge(ch)
		if err != nil {
			return refuse(err)
		}
		name := ch.Name
		if j.row != nil {
			name = j.row.Name
		}
		if named[name] {
			return refuse(Errorf(CodeInvalid, "cluster %q is changed twice", name))
		}
		named[name] = true
		all = append(all, j)
	}
	for i, j := range all {
		if len(j.facts) > 0 {
			tx.write(j, c.Changes[i].Name, c.Cause)
		}
	}
	return Result{}
}
