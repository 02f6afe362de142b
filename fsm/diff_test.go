package fsm_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/fsm"
)

// TestFirstAnswerTellsAll checks the first accepted answer: reach, and one state fact that carries all that was said.
func TestFirstAnswerTellsAll(t *testing.T) {
	s := begin(t, "a").health("unknown: never_answered")
	rep := with(up("a", "1:replica", "0:primary"), func(r *fsm.Report) {
		r.NodeID, r.ClusterID, r.SidecarVersion = "id", "cl", "0.1"
		r.Attributes = map[string]string{"zone": "z"}
		r.Shards[0].High = &fsm.High{LagMS: 1} // is muster's word, not the node's
	})
	s.full(rep).tells("node.reachable a", "node.up a", "shard.primary_changed /0",
		"cluster.versions_uniform", "cluster.health_changed")
	want := &fsm.StatePart{State: "up", Since: s.now, Said: &fsm.Said{
		Identity: fsm.Identity{Node: "id", Cluster: "cl"}, Kind: "redis", Version: "7.0", SidecarVersion: "0.1",
		Attributes: map[string]string{"zone": "z"},
		Shards:     []fsm.Shard{{ID: "0", Role: "primary"}, {ID: "1", Role: "replica"}},
	}}
	if diff := cmp.Diff(want, after[*fsm.StatePart](s, fsm.NodeUp)); diff != "" {
		t.Fatalf("after (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(fsm.Part(&fsm.StatePart{State: "unknown", Said: &fsm.Said{}}), s.facts[1].Before); diff != "" {
		t.Fatalf("before (-want +got):\n%s", diff)
	}
	s.health("healthy").full(rep).tells().noted(nil)
}

// TestFirstAnswerUnknown checks that a first answer is told even when it says nothing.
func TestFirstAnswerUnknown(t *testing.T) {
	s := begin(t, "a").full(fsm.Report{Node: "a", Reachable: true, State: fsm.StateUnknown})
	s.tells("node.reachable a", "node.unknown a", "cluster.health_changed").health("down: node_unknown")
}

// TestStateByCode checks that state and reason make facts, and free text beside them does not but is carried.
func TestStateByCode(t *testing.T) {
	say := func(state, reason, detail string) fsm.Report {
		return with(up("a"), func(r *fsm.Report) { r.State, r.StateReason, r.StateDetail = state, reason, detail })
	}
	s := begin(t, "a", "b")
	s.full(up("a"), up("b"))
	for _, step := range []struct {
		rep   fsm.Report
		tells []string
	}{
		{say("up", "", "text"), nil},
		{say("down", "store_unavailable", "x"), []string{"node.down a", "cluster.health_changed"}},
		{say("down", "store_unavailable", "y"), nil},
		{say("down", "loading", "z"), []string{"node.down a"}},
		{say("joining", "", ""), []string{"node.joining a", "cluster.health_changed"}},
		{say("leaving", "", ""), []string{"node.leaving a", "cluster.health_changed"}},
		{say("unknown", "odd", ""), []string{"node.unknown a", "cluster.health_changed"}},
		{say("up", "", ""), []string{"node.up a", "cluster.health_changed"}},
	} {
		s.full(step.rep, up("b")).tells(step.tells...)
		if len(step.tells) > 0 {
			want := fsm.Axis{Value: step.rep.State, Reason: step.rep.StateReason, Detail: step.rep.StateDetail, Since: s.now}
			if got := s.view.Nodes["a"].State; got != want {
				t.Fatalf("state is %+v, want %+v", got, want)
			}
		}
	}
}

// TestDownLeadsNothing checks that a node that says it is down and repeats that it was the primary stands in nobody's way.
func TestDownLeadsNothing(t *testing.T) {
	down := with(up("a", "0:primary"), func(r *fsm.Report) { r.State = fsm.StateDown })
	s := begin(t, "a", "b")
	s.full(up("a", "0:primary"), up("b", "0:replica"))
	s.full(down, up("b", "0:replica")).tells("node.down a", "cluster.health_changed")
	s.full(down, up("b", "0:replica")).tells("shard.primary_lost /0", "cluster.health_changed")
	s.full(down, up("b", "0:primary")).tells("shard.changed b/0", "shard.primary_changed /0", "cluster.health_changed")
	s.full(down, up("b", "0:primary")).tells()
}

// TestStoreless checks that an agent whose store is gone takes nothing back of what the store said, but the lead.
func TestStoreless(t *testing.T) {
	gone := fsm.Report{Node: "a", Reachable: true, State: fsm.StateDown, StateReason: fsm.ReasonStore, SidecarVersion: "9"}
	s := begin(t, "a", "b")
	s.full(up("a", "0:primary"), up("b", "0:replica"))
	said := s.view.Nodes["a"].Said
	s.full(gone, up("b", "0:replica")).tells("node.down a", "cluster.health_changed")
	if diff := cmp.Diff(said, s.view.Nodes["a"].Said); diff != "" {
		t.Errorf("what it said (-before +after):\n%s", diff)
	}
	s.full(gone, up("b", "0:replica")).tells("shard.primary_lost /0", "cluster.health_changed")
	s.full(gone, up("b", "0:primary")).tells("shard.changed b/0", "shard.primary_changed /0", "cluster.health_changed")
	s.full(up("a", "0:replica"), up("b", "0:primary")).tells("node.up a", "shard.changed a/0", "cluster.health_changed")
}

// TestFailuresAreCounted checks the counter, who may raise it, and that a standing dead node changes nothing.
func TestFailuresAreCounted(t *testing.T) {
	s := begin(t, "a", "b")
	s.full(up("a", "0:primary"), up("b"))
	seen := s.now
	s.full(refused("a"), up("b")).tells().noted(failure("a", 1, seen, "p"))
	s.full(refused("a"), up("b")).tells().noted(failure("a", 1, seen, "p")) // one peer's failures count once
	s.confirm("o", refused("a")).tells("node.unreachable a", "cluster.health_changed").noted(failure("a", 2, seen, "o", "p"))
	s.health("degraded: node_unreachable")
	if n := s.view.Nodes["a"]; n.State.Value != "up" || n.Said.Version != "7.0" || n.Shard("0") == nil {
		t.Fatalf("an unreachable node lost what it said: %+v", n)
	}
	notes := s.notes
	s.confirm("q", refused("a")).tells()
	if s.notes != notes {
		t.Fatal("a standing dead node made other notes")
	}
	s.full(with(refused("a"), func(r *fsm.Report) { r.Reason, r.Detail = fsm.ReasonTimeout, "late" }), up("b"))
	s.tells("node.unreachable a")
	if want := (fsm.Axis{Value: "unreachable", Reason: "timeout", Detail: "late", Since: s.now}); s.view.Nodes["a"].Reach != want {
		t.Fatalf("reach is %+v, want %+v", s.view.Nodes["a"].Reach, want)
	}
	s.full(up("a", "0:primary"), up("b")).tells("node.reachable a", "cluster.health_changed").noted(nil).health("healthy")
}

// TestFailuresOfFewPeers checks the ways to down_after: alone, and round and round between two peers.
func TestFailuresOfFewPeers(t *testing.T) {
	s := begin(t, "a")
	s.spec.DownAfter, s.alone = 3, true
	seen := s.full(up("a")).now
	s.full(refused("a")).full(refused("a")).tells().noted(failure("a", 2, seen, "p"))
	s.full(refused("a")).tells("node.unreachable a", "cluster.health_changed").noted(failure("a", 3, seen, "p"))

	s = begin(t, "a")
	s.spec.DownAfter = 4
	seen = s.full(up("a")).now
	s.full(refused("a")).confirm("o", refused("a")).full(refused("a")).tells().noted(failure("a", 3, seen, "o", "p"))
	s.confirm("o", refused("a")).tells("node.unreachable a", "cluster.health_changed")

	s = begin(t, "a")
	s.full(up("a")).full(refused("a")).confirm("o", up("a")).tells().noted(nil) // one answer ends the row
	s.full(refused("a")).tells()
}

// TestNotesAreSorted checks the order when a note is kept from another round.
func TestNotesAreSorted(t *testing.T) {
	s := begin(t, "a", "b", "c")
	s.full(refused("a"), up("b"), refused("c")).confirm("o", refused("c"), refused("b"))
	var got []string
	for _, f := range s.notes.Failures {
		got = append(got, f.Node)
	}
	if diff := cmp.Diff([]string{"a", "b", "c"}, got); diff != "" {
		t.Fatal(diff)
	}
}

// TestNeverReached checks a node that fails from the start and then answers.
func TestNeverReached(t *testing.T) {
	s := begin(t, "a")
	s.full(refused("a")).confirm("o", refused("a")).tells("node.unreachable a", "cluster.health_changed")
	s.health("unknown: never_answered node_unreachable")
	s.full(up("a")).tells("node.reachable a", "node.up a", "cluster.versions_uniform", "cluster.health_changed")
}

// TestReportsOfOthersAreIgnored checks nodes that are gone or no longer polled, and that their notes go.
func TestReportsOfOthersAreIgnored(t *testing.T) {
	s := begin(t, "a", "b")
	seen := s.full(up("a"), refused("b"), up("ghost")).now
	s.confirm("o", up("ghost")).tells().noted(failure("b", 1, seen-1000, "p"))
	s.fold(decommissioned("b"))
	s.fold(fsm.Derive(s.view, s.now)...)
	s.confirm("o", up("ghost")).tells().noted(nil).full(up("a"), up("b")).tells()
	if facts, notes := fsm.Diff(&fsm.View{}, s.notes, fsm.Round{Now: 1, Full: true}); facts != nil || notes != nil {
		t.Fatal("a removed cluster had facts or notes")
	}
}

// TestSameNotes checks each kind of note, and that nil and empty are one.
func TestSameNotes(t *testing.T) {
	different := []*fsm.Notes{
		nil,
		failure("a", 1, 5, "p"), failure("b", 1, 5, "p"), failure("a", 2, 5, "p"), failure("a", 1, 6, "p"), failure("a", 1, 5, "q"),
		{Odd: []fsm.Odd{{Shard: "0"}}},
		{Odd: []fsm.Odd{{Shard: "0", Many: true}}},
		{Odd: []fsm.Odd{{Shard: "0"}, {Shard: "1"}}},
		{Churn: []fsm.Churn{{Node: "a", Attribute: "x", Rounds: 1}}},
		{Churn: []fsm.Churn{{Node: "a", Attribute: "x", Rounds: 2}}},
	}
	for i, a := range different {
		for j, b := range different {
			if fsm.SameNotes(a, b) != (i == j) {
				t.Errorf("SameNotes(%+v, %+v) = %v", a, b, i != j)
			}
		}
	}
	if !fsm.SameNotes(nil, &fsm.Notes{}) || !fsm.SameNotes(&fsm.Notes{Odd: []fsm.Odd{}}, nil) {
		t.Error("nil and empty differ")
	}
}
