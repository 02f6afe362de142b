package fsm_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/fsm"
)

// says is the answer of node a with the ids it gives itself.
func says(node, cluster string) fsm.Report {
	return with(up("a", "0:primary"), func(r *fsm.Report) { r.NodeID, r.ClusterID = node, cluster })
}

// TestIdentity tells, for each mode, what follows when a node says one identity after another.
func TestIdentity(t *testing.T) {
	const mismatch, matched = "node.identity_mismatch a", "node.identity_matched a"
	type step struct {
		mode, node, cluster string
		tells               string // the identity fact; empty for none
		want                fsm.Identity
	}
	pinned := fsm.Identity{Node: "a", Cluster: "c"}
	tests := map[string][]step{
		"pinned": {
			{"pinned", "a", "c", "", pinned},
			{"pinned", "", "", "", pinned},
			{"pinned", "b", "c", mismatch, fsm.Identity{Node: "a", Cluster: "c", Mismatch: true, SaysNode: "b", SaysCluster: "c"}},
			{"pinned", "b", "c", "", fsm.Identity{Node: "a", Cluster: "c", Mismatch: true, SaysNode: "b", SaysCluster: "c"}},
			{"pinned", "d", "c", mismatch, fsm.Identity{Node: "a", Cluster: "c", Mismatch: true, SaysNode: "d", SaysCluster: "c"}},
			{"pinned", "a", "c", matched, pinned},
			{"pinned", "a", "x", mismatch, fsm.Identity{Node: "a", Cluster: "c", Mismatch: true, SaysNode: "a", SaysCluster: "x"}},
			{"pinned", "", "", matched, pinned},
		},
		"pinned when first said": {
			{"pinned", "", "", "", fsm.Identity{}},
			{"pinned", "a", "", matched, fsm.Identity{Node: "a"}},
			{"pinned", "a", "c", matched, pinned},
			{"pinned", "b", "c", mismatch, fsm.Identity{Node: "a", Cluster: "c", Mismatch: true, SaysNode: "b", SaysCluster: "c"}},
		},
		"strict": {
			{"strict", "a", "c", "", pinned},
			{"strict", "", "c", mismatch, fsm.Identity{Node: "a", Cluster: "c", Mismatch: true, SaysCluster: "c"}},
			{"strict", "a", "", matched, pinned},
			{"strict", "a", "x", mismatch, fsm.Identity{Node: "a", Cluster: "c", Mismatch: true, SaysNode: "a", SaysCluster: "x"}},
		},
		"strict over a foreign pin": {
			{"pinned", "z", "", "", fsm.Identity{Node: "z"}},
			{"strict", "z", "", mismatch, fsm.Identity{Node: "z", Mismatch: true, SaysNode: "z"}},
			{"strict", "a", "", matched, fsm.Identity{Node: "a"}},
		},
		"off accepts a new one": {
			{"pinned", "a", "c", "", pinned},
			{"off", "b", "c", "", pinned},
			{"pinned", "b", "c", mismatch, fsm.Identity{Node: "a", Cluster: "c", Mismatch: true, SaysNode: "b", SaysCluster: "c"}},
			{"off", "b", "c", matched, fsm.Identity{Node: "b", Cluster: "c"}},
			{"pinned", "b", "c", "", fsm.Identity{Node: "b", Cluster: "c"}},
		},
	}
	for name, steps := range tests {
		t.Run(name, func(t *testing.T) {
			s := begin(t, "a")
			for i, step := range steps {
				s.spec.Identity = step.mode
				s.full(says(step.node, step.cluster))
				var got string
				for _, f := range s.facts {
					if f.Type == fsm.NodeIdentityMatched || f.Type == fsm.NodeIdentityMismatch {
						got = string(f.Type) + " " + f.Node
					}
				}
				if got != step.tells || s.view.Nodes["a"].Said.Identity != step.want {
					t.Fatalf("step %d: told %q, identity is %+v", i, got, s.view.Nodes["a"].Said.Identity)
				}
			}
		})
	}
}

// TestMismatchedReportIsNotTaken checks that of a mismatched report only reach and identity enter the view, and that the
// node's claim to be the primary does not count.
func TestMismatchedReportIsNotTaken(t *testing.T) {
	s := begin(t, "a", "b")
	s.full(says("a", ""), up("b", "0:replica"))
	s.full(refused("a"), up("b", "0:replica")).confirm("o", refused("a")).tells("node.unreachable a", "cluster.health_changed")
	other := with(says("x", ""), func(r *fsm.Report) {
		r.State, r.Version, r.Shards, r.Attributes = fsm.StateDown, "8", nil, map[string]string{"k": "v"}
	})
	s.full(other, up("b", "0:replica")).tells("node.reachable a", "node.identity_mismatch a", "cluster.health_changed")
	s.noted(nil).health("degraded: identity_mismatch")
	for range 3 {
		s.full(other, up("b", "0:replica")).tells().noted(nil)
	}
	s.full(other, up("b", "0:primary")).tells("shard.changed b/0", "shard.primary_changed /0")
}

// TestStrictFirstAnswerMismatched checks a node that is someone else from the start, then itself.
func TestStrictFirstAnswerMismatched(t *testing.T) {
	s := begin(t, "a")
	s.spec.Identity = fsm.IdentityStrict
	s.full(says("x", "")).tells("node.reachable a", "node.identity_mismatch a", "cluster.health_changed")
	s.health("unknown: identity_mismatch never_answered")
	if n := s.view.Nodes["a"]; n.Answered() || n.Said.Kind != "" || n.State.Value != fsm.StateUnknown {
		t.Fatalf("node is %+v", n)
	}
	s.full(says("x", "")).tells()
	s.full(says("a", "")).tells("node.identity_matched a", "node.up a", "shard.primary_changed /0",
		"cluster.versions_uniform", "cluster.health_changed")
	if got := s.view.Nodes["a"].Said.Identity; got != (fsm.Identity{Node: "a"}) {
		t.Fatalf("identity is %+v", got)
	}
}

// TestForgettingAMismatchedNode checks that forgetting a node that was never believed can be unfolded.
func TestForgettingAMismatchedNode(t *testing.T) {
	s := begin(t, "a")
	s.spec.Identity = fsm.IdentityStrict
	s.full(says("x", ""))
	s.fold(decommissioned("a"))
	was := s.view.Clone()
	f, err := fsm.Transition(s.view.Nodes["a"], fsm.Forgotten, true)
	if err != nil {
		t.Fatal(err)
	}
	s.fold(*f, f.Reverse())
	if diff := cmp.Diff(was, s.view); diff != "" {
		t.Fatalf("folding and unfolding left (-want +got):\n%s", diff)
	}
}
