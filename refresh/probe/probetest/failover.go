package probetest

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/fsm"
)

// Failover is how the real leader of a shard is lost, replaced, and comes back. Each step returns when it has come about,
// which it sees by its own polls: the roll looks once after each, so that what it tells does not hang on how long servers
// take.
type Failover struct {
	Shard   string
	Lose    func(leader string)       // the leader ends as in a crash
	Replace func(lost string)         // another one leads
	Return  func(lost, leader string) // the lost one is back, and follows
}

// Failover plays one, and returns the types of what was told of who leads the shard and of the node that was lost, in their
// order. While that node is lost its last word must stand; in the end it must be well, and another lead.
func (r *Roll) Failover(t testing.TB, f Failover) []fsm.EventType {
	t.Helper()
	r.Round(t)
	lost, told := r.Leader(f.Shard), len(r.Told)
	if lost == "" {
		t.Fatalf("nobody leads %s: %+v", f.Shard, r.View.Cluster.Primaries)
	}
	word := lastWord(r.View.Nodes[lost])
	f.Lose(lost)
	r.Round(t)
	f.Replace(lost)
	r.Round(t)
	leader := r.Leader(f.Shard)
	if leader == "" || leader == lost {
		t.Errorf("%s led, and now %q does", lost, leader)
	}
	n := r.View.Nodes[lost]
	if diff := cmp.Diff(word, lastWord(n)); diff != "" || n.Reach.Value != fsm.NotReachable {
		t.Errorf("%s is %+v, its last word (-before +after):\n%s", lost, n.Reach, diff)
	}
	f.Return(lost, leader)
	r.Round(t)
	if n := r.View.Nodes[lost]; !n.Well() || r.Leader(f.Shard) != leader {
		t.Errorf("in the end %q leads, and %s is %+v", r.Leader(f.Shard), lost, n)
	}
	return about(r.Told[told:], lost, f.Shard)
}

// lastWord is all that a node said of itself.
func lastWord(n *fsm.Node) any {
	return struct {
		State fsm.Axis
		Said  fsm.Said
	}{n.State, n.Said}
}

// about are the facts of one node, and those of who leads a shard.
func about(facts []fsm.Fact, node, shard string) []fsm.EventType {
	var out []fsm.EventType
	for _, f := range facts {
		if f.Node == node || f.Shard == shard && len(aboutLeaders([]fsm.Fact{f})) > 0 {
			out = append(out, f.Type)
		}
	}
	return out
}
