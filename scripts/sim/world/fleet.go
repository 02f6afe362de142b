package world

import (
	"errors"
	"fmt"
	"time"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

// fleet is the nodes there are, by cluster and id, whatever sources say of them.
type fleet struct {
	w     *World
	nodes []*node
	by    map[fsm.NodeRef]*node
}

// node is a model of one node and of what answers for it.
type node struct {
	ref     fsm.NodeRef
	port    int
	probe   string // kind of prober, empty for the cluster's
	gen     int    // counts what its tag covers
	state   string
	role    string
	version string
	says    string // its identity
	shards  int
	flips   int // value of an attribute that changes all the time, 0 for none
	lag     int64
	offset  int64

	refused bool
	silent  bool
	slow    time.Duration
}

const pollTimeout = 2 * time.Second

func newFleet(w *World) fleet {
	f := fleet{w: w, by: map[fsm.NodeRef]*node{}}
	for c := range 3 + w.rng.IntN(4) {
		probe := ""
		if c == 2 {
			probe = thirdParty
		}
		for n := range 1 + w.rng.IntN(4) {
			x := &node{
				ref:  fsm.NodeRef{Cluster: fmt.Sprintf("c%d", c), Node: fmt.Sprintf("c%d-%d", c, n)},
				port: 1000 + 10*c + n, probe: probe,
				state: fsm.StateUp, role: fsm.RoleReplica, version: "7.0", shards: 1 + w.rng.IntN(2), offset: 1,
			}
			x.says = x.ref.Node
			if n == 0 {
				x.role = fsm.RolePrimary
			}
			f.nodes = append(f.nodes, x)
			f.by[x.ref] = x
		}
	}
	return f
}

// of is the nodes of the cluster of a node.
func (f *fleet) of(n *node) (out []*node) {
	for _, o := range f.nodes {
		if o.ref.Cluster == n.ref.Cluster {
			out = append(out, o)
		}
	}
	return out
}

func (n *node) tag() string { return fmt.Sprintf(`W/"%d"`, n.gen) }

// change moves what a node says and its tag covers.
func (n *node) change(do func()) {
	do()
	n.gen++
}

// report is what the node says in full.
func (n *node) report() fsm.Report {
	r := fsm.Report{
		Node: n.ref.Node, Reachable: true, State: n.state, NodeID: n.says, ClusterID: n.ref.Cluster, Kind: "model",
		Version: n.version, Attributes: map[string]string{"rack": "r1"},
	}
	if n.state == fsm.StateDown {
		r.StateReason = "stopped"
	}
	if n.flips > 0 {
		r.Attributes["flips"] = fmt.Sprint(n.flips)
	}
	for i := range n.shards {
		lag := n.lag
		s := fsm.Shard{ID: fmt.Sprint(i), Role: n.role, Offset: &fsm.Offset{Value: n.offset}}
		if n.role != fsm.RolePrimary {
			s.LagMS = &lag
		}
		r.Shards = append(r.Shards, s)
	}
	return r
}

// takes is how long a poll of a peer takes until it ends.
func (f *fleet) takes(p *peer, q refresh.Question) time.Duration {
	n := f.by[fsm.NodeRef{Cluster: q.Cluster, Node: q.Node}]
	switch {
	case n != nil && n.silent && p.blind <= f.w.now:
		return pollTimeout
	case n != nil && n.slow > 0:
		return min(f.w.between(n.slow/2, n.slow), pollTimeout)
	}
	return f.w.between(time.Millisecond, 40*time.Millisecond)
}

// answer is what a poll brings now, and what is really so. P is nil for a third party, which is not blind.
func (f *fleet) answer(p *peer, q refresh.Question) (x refresh.Answer, truth fsm.Report) {
	n := f.by[fsm.NodeRef{Cluster: q.Cluster, Node: q.Node}]
	failed := func(reason string) (refresh.Answer, fsm.Report) {
		r := fsm.Unreachable(q.Node, reason, "")
		return refresh.Answer{Report: r}, r
	}
	switch {
	case p != nil && p.blind > f.w.now:
		return failed(fsm.ReasonUnreachable)
	case n == nil || n.port != q.Port || n.refused:
		return failed(fsm.ReasonRefused)
	case n.silent:
		return failed(fsm.ReasonTimeout)
	}
	if n.flips > 0 {
		n.change(func() { n.flips++ })
	}
	n.offset++
	truth = n.report()
	x = refresh.Answer{Report: truth, ETag: n.tag()}
	if q.Tag == n.tag() {
		f.w.count.add("not modified")
		x = refresh.Answer{Report: fsm.Report{Node: q.Node}, ETag: q.Tag, NotModified: true}
		if n.role != fsm.RolePrimary {
			lag := n.lag
			x.WorstLagMS = &lag
		}
	}
	return x, truth
}

var errThird = errors.New("the third party has no leader")

func (f *fleet) thirdFails(p *peer) error {
	if p.blind > f.w.now || f.w.foe.third && f.w.chance(2) {
		return errThird
	}
	return nil
}
