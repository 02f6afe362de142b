package fsm_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/fsm"
)

// TestRunJudgesEachCluster checks that a part's clusters are judged one by one: the one that moved is named, the others are
// in, and the claim stays open although the part carried the outcome.
func TestRunJudgesEachCluster(t *testing.T) {
	l := newLog(t)
	d := l.discovery("d")
	l.cluster(d, "c", "a")
	claim := l.claim(fsm.KindRun, d.ID, fsm.WhyDue)
	stale := l.enrolment(d, "c", "a", "b")
	stale.Base--
	run := &fsm.RunComplete{
		Discovery: d.ID, Settings: d.Settings, Token: claim.Token,
		Enrolments: []fsm.Enrolment{l.enrolment(d, "e", "a"), stale, l.enrolment(d, "f", "a")}, Outcome: &fsm.RunOutcome{Records: 4},
	}
	res := l.ok(run)
	r := l.state.Read()
	at := r.Cluster("c").Index
	if diff := cmp.Diff([]fsm.Moved{{Cluster: "c", Index: at}}, res.Moved); diff != "" || res.Closed || res.Claim.Parts != 1 {
		t.Fatalf("closed %t, claim %+v, moved (-want +got):\n%s", res.Closed, res.Claim, diff)
	}
	if r.Cluster("e") == nil || r.Cluster("f") == nil || r.Node(r.Cluster("c").ID, "b") != nil {
		t.Fatal("the stale enrolment is in, or a good one is not")
	}
	if again := l.ok(run); !again.Already {
		t.Fatalf("the part again: %+v", again)
	}
	run.Part, run.Enrolments = 1, []fsm.Enrolment{l.enrolment(d, "c", "a", "b")}
	if res := l.ok(run); !res.Closed || l.state.Read().Node(r.Cluster("c").ID, "b") == nil {
		t.Fatalf("the cluster sent again: %+v", res)
	}
	l.refused(run, fsm.CodeConflict)
}

// TestRunOfOtherSettings checks that a run computed from settings that are no longer in force is refused.
func TestRunOfOtherSettings(t *testing.T) {
	l := newLog(t)
	d := l.discovery("d")
	claim := l.claim(fsm.KindRun, d.ID, fsm.WhyDue)
	l.refused(&fsm.RunComplete{Discovery: d.ID, Settings: d.Settings - 1, Token: claim.Token, Outcome: &fsm.RunOutcome{}}, fsm.CodeConflict)
}

// TestDiscoveryGoesLast checks that a deleted discovery's row goes with its last listing and not before, or listings would
// name a discovery that is not there.
func TestDiscoveryGoesLast(t *testing.T) {
	l := newLog(t)
	d := l.discovery("d")
	for _, name := range []string{"c", "f"} {
		l.cluster(d, name, "a", "b")
	}
	l.ok(&fsm.DiscoveryDelete{Name: "d"})
	d = l.state.Read().Discovery("d")
	claim := l.claim(fsm.KindRun, d.ID, fsm.WhyDelete)
	run := &fsm.RunComplete{Discovery: d.ID, Settings: d.Settings, Token: claim.Token, Outcome: &fsm.RunOutcome{}}
	run.Enrolments = []fsm.Enrolment{fsm.Unlist(roll(l.state.Read(), "c", d.ID), d.ID, claim.Granted)}
	res := l.ok(run)
	left := l.state.Read().Cluster("f").Index
	if diff := cmp.Diff([]fsm.Moved{{Cluster: "f", Index: left}}, res.Moved); diff != "" || res.Closed {
		t.Fatalf("closed %t, still listed (-want +got):\n%s", res.Closed, diff)
	}
	if l.state.Read().Discovery("d") == nil {
		t.Fatal("the discovery went before its listings")
	}
	run.Part, run.Enrolments = 1, []fsm.Enrolment{fsm.Unlist(roll(l.state.Read(), "f", d.ID), d.ID, claim.Granted)}
	if res := l.ok(run); !res.Closed || l.state.Read().Discovery("d") != nil {
		t.Fatalf("the last part: %+v", res)
	}
	if subject := (fsm.Subject{Kind: fsm.KindRun, ID: d.ID}); l.state.Read().Schedule(subject) != nil {
		t.Error("a schedule is left of the discovery")
	}
	if c := l.state.Read().Cluster("c"); l.state.Read().RefreshOf(c).Enabled {
		t.Error("a cluster that nobody lists is refreshed")
	}
}

// TestWithinOnlyDerived checks that an enrolment that has nothing to cut is sent whole, however small the room.
func TestWithinOnlyDerived(t *testing.T) {
	e := fsm.Enrolment{Cluster: "c", ID: 1, Base: 2, Facts: []fsm.Fact{
		{Type: fsm.ClusterHealthChanged, Before: &fsm.HealthPart{}, After: &fsm.HealthPart{Health: fsm.HealthHealthy}},
	}}
	for _, room := range []int{-5, 0, 10} {
		if part, whole := e.Within(room); !whole || len(part.Facts) != 1 {
			t.Errorf("in room for %d bytes: %+v, whole %t", room, part, whole)
		}
	}
}
