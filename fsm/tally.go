package fsm

// Fleet is the whole fleet in numbers, as of one state and one time.
type Fleet struct {
	Health     map[string]int    // clusters by health
	Nodes      map[NodeWords]int // nodes by the words for them; no word is empty
	Lagging    int               // shards past lag_limit at nodes that count
	Lag        Duration          // the greatest lag of a shard at a node that counts and can be reached, as of its last change
	Oldest     Time              // when the cluster was asked in full whose turn is the longest ago; 0 when there is none
	Unseen     int               // clusters that are refreshed and were never asked in full
	Overdue    int               // clusters that wait for a peer for more than Late
	OverdueFor Duration          // how long the longest waiting one is due; 0 when none is
	Runs       int               // open claims
	Refreshes  int
}

// Late is for how long a cluster may be due before it is called overdue: four beats of the scheduler.
const Late = Second

// NodeWords are the words for a node on its four axes.
type NodeWords struct {
	Presence  Presence
	Lifecycle Lifecycle
	Reach     string // StateUnknown before the first poll was judged
	State     string
}

// Tally counts the fleet. It keeps what it counted of each cluster beside the rows it counted, so that the next count looks
// only at clusters whose rows were replaced, and at none while the indexes of their tables stand. It is for one goroutine at a
// time; its zero value has counted nothing.
type Tally struct {
	clusters map[uint64]*tallied
	fleet    Fleet // of the last round, without what schedules say
	as       walked
	round    uint64
}

// walked are the indexes of the tables that were counted.
type walked struct{ clusters, nodes, discoveries uint64 }

// tallied is what was counted of one cluster. A row is immutable, so the same row has the same numbers.
type tallied struct {
	roster      *roster
	cluster     *Cluster
	discoveries uint64   // the index of the discoveries when interval was read
	interval    Duration // 0 when it is not refreshed
	nodes       []nodeCount
	lagging     int
	lag         int64
	round       uint64 // when it was last met
	filled      uint64 // when it last had nodes
}

type nodeCount struct {
	words NodeWords
	n     int
}

// Count counts the fleet as the reader sees it; now is logical time. Its maps are read-only.
func (t *Tally) Count(r *Reader, now Time) Fleet {
	as := walked{r.Wait(SetClusters).Index, r.Wait(SetNodes).Index, r.Wait(SetDiscoveries).Index}
	if as != t.as {
		t.walk(r, as.discoveries)
		t.as = as
	}
	f := t.fleet
	t.schedules(r, now, &f)
	return f
}

// walk counts clusters and nodes.
func (t *Tally) walk(r *Reader, discoveries uint64) {
	if t.clusters == nil {
		t.clusters = map[uint64]*tallied{}
	}
	t.round++
	f := Fleet{Health: map[string]int{}, Nodes: map[NodeWords]int{}}
	for c := range scan[Cluster](r, tableClusters, byID, nil) {
		known := t.clusters[c.ID]
		if known == nil {
			known = &tallied{}
			t.clusters[c.ID] = known
		}
		known.round = t.round
		if known.cluster != c || known.discoveries != discoveries {
			known.cluster, known.discoveries, known.interval = c, discoveries, 0
			if spec := r.RefreshOf(c); spec.Enabled {
				known.interval = spec.Interval
			}
		}
		f.Health[c.Health]++
	}
	for row := range scan[roster](r, tableNodes, byID, nil) {
		if known := t.clusters[row.cluster]; known != nil {
			known.filled = t.round
			known.count(row)
			known.addTo(&f)
		}
	}
	for id, known := range t.clusters {
		if known.round != t.round {
			delete(t.clusters, id)
		}
	}
	t.fleet = f
}

// count counts the nodes of a cluster unless that row was counted already.
func (k *tallied) count(row *roster) {
	if k.roster == row {
		return
	}
	k.roster, k.nodes, k.lagging, k.lag = row, nil, 0, 0
	p, n := packer{unpacking: true}, new(Node)
	for _, packed := range row.nodes {
		p.in, *n = packed, Node{Cluster: row.cluster}
		packGist(&p, n)
		k.add(n)
	}
}

func (k *tallied) add(n *Node) {
	k.addWords(wordsOf(n))
	if n.Presence != Present || n.Lifecycle != Commissioned {
		return
	}
	for i := range n.Said.Shards {
		shard := &n.Said.Shards[i]
		if shard.High != nil {
			k.lagging++
		}
		if shard.LagMS != nil && n.Reach.Value == Reachable {
			k.lag = max(k.lag, *shard.LagMS)
		}
	}
}

func (k *tallied) addWords(words NodeWords) {
	for i := range k.nodes {
		if k.nodes[i].words == words {
			k.nodes[i].n++
			return
		}
	}
	k.nodes = append(k.nodes, nodeCount{words, 1})
}

func (k *tallied) addTo(f *Fleet) {
	for _, c := range k.nodes {
		f.Nodes[c.words] += c.n
	}
	f.Lagging += k.lagging
	f.Lag = max(f.Lag, Duration(k.lag))
}

func wordsOf(n *Node) NodeWords {
	w := NodeWords{Presence: n.Presence, Lifecycle: n.Lifecycle, Reach: n.Reach.Value, State: n.State.Value}
	if w.Reach == "" {
		w.Reach = StateUnknown
	}
	if !knownState(w.State) {
		w.State = StateUnknown
	}
	return w
}

// schedules counts claims, and what of the refreshed clusters that have nodes waits or is old.
func (t *Tally) schedules(r *Reader, now Time, f *Fleet) {
	for row := range r.subjects().all() {
		s := row.schedule
		if row.open != nil {
			if s.Subject.Kind == KindRun {
				f.Runs++
			} else {
				f.Refreshes++
			}
		}
		known := t.clusters[s.Subject.ID]
		if s.Subject.Kind != KindRefresh || known == nil || known.interval == 0 || known.filled != t.round {
			continue
		}
		switch {
		case s.Observed == 0:
			f.Unseen++
		case f.Oldest == 0 || s.Observed < f.Oldest:
			f.Oldest = s.Observed
		}
		if at, _ := s.Due(known.interval); row.open == nil && at != 0 && at < now {
			waits := now.Sub(at)
			f.OverdueFor = max(f.OverdueFor, waits)
			if waits > Late {
				f.Overdue++
			}
		}
	}
}
