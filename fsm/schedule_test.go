package fsm_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/fsm"
)

// scheduled is a log with one cluster that was refreshed once, and its subject.
func scheduled(t *testing.T) (*log, fsm.Subject) {
	t.Helper()
	l := newLog(t)
	c := l.cluster(l.discovery("d"), "c", "a")
	subject := fsm.Subject{Kind: fsm.KindRefresh, ID: c.ID}
	l.ok(l.round(l.claim(fsm.KindRefresh, c.ID, fsm.WhyDue), up("a")))
	return l, subject
}

func (l *log) schedule(s fsm.Subject) fsm.Schedule { return *l.state.Read().Schedule(s) }

// move changes the cluster's settings, and so its version.
func (l *log) move(id uint64, group string) {
	l.t.Helper()
	c := l.state.Read().ClusterByID(id)
	l.ok(&fsm.ClusterChange{Cause: operator, Changes: []fsm.Change{{Cluster: id, Base: c.Index, Facts: []fsm.Fact{{
		Type: fsm.ClusterSettingsChanged, Before: &fsm.SettingsPart{Settable: c.Settings},
		After: &fsm.SettingsPart{Settable: fsm.Settable{Group: group}},
	}}}}})
}

// TestUnchanged checks what an unchanged round leaves: its slot is used up, its time noted, nothing else.
func TestUnchanged(t *testing.T) {
	l, subject := scheduled(t)
	before := l.state.Read()
	claim := l.claim(fsm.KindRefresh, subject.ID, fsm.WhyDue)
	u := &fsm.RefreshUnchanged{AsOf: l.index}
	u.Add(subject.ID, claim.Token, 42)
	a := l.entry(u)
	want := fsm.Schedule{Subject: subject, Done: l.now, Observed: claim.Granted, Last: fsm.Work{
		At: claim.Granted, Peer: "p", Took: 42, Outcome: fsm.OutcomeUnchanged, Reason: fsm.WhyDue,
	}}
	want.Past = l.schedule(subject).Past
	if past := want.Past.Work(); len(past) == 0 || past[0] != want.Last {
		t.Errorf("past is %+v", past)
	}
	if diff := cmp.Diff(want, l.schedule(subject)); diff != "" {
		t.Errorf("schedule (-want +got):\n%s", diff)
	}
	r := l.state.Read()
	if len(a.Closed) != 1 || r.Claim(subject) != nil || len(a.Events) != 0 || r.ClusterByID(subject.ID) != before.ClusterByID(subject.ID) {
		t.Errorf("it did %+v", a)
	}
	if again := l.entry(u); len(again.Closed) != 0 || len(again.Touched) != 0 {
		t.Errorf("sent again it did %+v", again)
	}
}

// TestUnchangedOnMovedBase checks the as-of rule: a cluster that moved after the replica it was compared with is due at once,
// and its slot is not used up; one that moved before is not.
func TestUnchangedOnMovedBase(t *testing.T) {
	l, subject := scheduled(t)
	done := l.schedule(subject).Done
	claim := l.claim(fsm.KindRefresh, subject.ID, fsm.WhyDue)
	asOf := l.index
	l.move(subject.ID, "g")
	u := &fsm.RefreshUnchanged{AsOf: asOf}
	u.Add(subject.ID, claim.Token, 42)
	l.ok(u)
	if s := l.schedule(subject); !s.AtOnce || s.Done != done || l.state.Read().Claim(subject) != nil {
		t.Errorf("on a moved base it left %+v", s)
	}
	claim = l.claim(fsm.KindRefresh, subject.ID, fsm.WhyDue)
	l.move(subject.ID, "h")
	u = &fsm.RefreshUnchanged{AsOf: l.index}
	u.Add(subject.ID, claim.Token, 42)
	l.ok(u)
	if s := l.schedule(subject); s.AtOnce || s.Done != l.now {
		t.Errorf("compared with the cluster as it is, it left %+v", s)
	}
}

// TestUnchangedOfOthers checks that claims that are closed or another's are passed over among good ones.
func TestUnchangedOfOthers(t *testing.T) {
	l, subject := scheduled(t)
	claim := l.claim(fsm.KindRefresh, subject.ID, fsm.WhyDue)
	u := &fsm.RefreshUnchanged{AsOf: l.index}
	u.Add(subject.ID, claim.Token-1, 1)
	u.Add(99, claim.Token, 1)
	l.ok(u)
	if l.state.Read().Claim(subject) == nil {
		t.Fatal("a claim was closed by another token")
	}
	u.Add(subject.ID, claim.Token, 1)
	l.ok(u)
	if l.state.Read().Claim(subject) != nil {
		t.Fatal("the claim among strangers stays open")
	}
}

// TestUnchangedAdd checks that clusters are grouped by token, in order, and that times keep within their field.
func TestUnchangedAdd(t *testing.T) {
	u := &fsm.RefreshUnchanged{}
	u.Add(1, 20, 5)
	u.Add(2, 10, -1)
	u.Add(3, 20, 1<<40)
	want := []fsm.Unchanged{
		{Token: 10, Clusters: []uint64{2}, Took: []uint32{0}}, {Token: 20, Clusters: []uint64{1, 3}, Took: []uint32{5, 1 << 31}},
	}
	if diff := cmp.Diff(want, u.Groups); diff != "" {
		t.Errorf("groups (-want +got):\n%s", diff)
	}
}

// TestConfirmUsesNoSlot checks that a confirming round, changed or not, moves neither the regular due nor the time of the
// last full round.
func TestConfirmUsesNoSlot(t *testing.T) {
	l, subject := scheduled(t)
	was := l.schedule(subject)
	confirm := func() *fsm.Claim { return l.claim(fsm.KindRefresh, subject.ID, fsm.WhyConfirm) }
	for name, complete := range map[string]func(*fsm.Claim) fsm.Command{
		"unchanged": func(c *fsm.Claim) fsm.Command {
			u := &fsm.RefreshUnchanged{AsOf: l.index}
			u.Add(subject.ID, c.Token, 1)
			return u
		},
		"changed": func(c *fsm.Claim) fsm.Command { return l.round(c, refused("a")) },
	} {
		l.ok(complete(confirm()))
		if s := l.schedule(subject); s.Done != was.Done || s.Observed != was.Observed || s.AtOnce {
			t.Errorf("%s: it left %+v, was %+v", name, s, was)
		}
	}
}

// TestLooksAgain checks when failed nodes and a first odd round are due, and that a confirming round does not forget the
// odd one.
func TestLooksAgain(t *testing.T) {
	l, subject := scheduled(t)
	full := l.round(l.claim(fsm.KindRefresh, subject.ID, fsm.WhyDue), refused("a"))
	full.ConfirmIn, full.OddIn = 500, 700
	l.ok(full)
	at := l.now
	if s := l.schedule(subject); s.Confirm != at+500 || s.Odd != at+700 {
		t.Fatalf("after a full round: %+v", s)
	}
	due := func(want fsm.Time, why string) {
		t.Helper()
		s := l.schedule(subject)
		if got, because := s.Due(fsm.Hour); got != want || because != why {
			t.Fatalf("due at %d, %s; want %d, %s (%+v)", got, because, want, why, s)
		}
	}
	due(at+500, fsm.WhyConfirm)
	confirm := l.claim(fsm.KindRefresh, subject.ID, fsm.WhyConfirm)
	if s := l.schedule(subject); s.Confirm != 0 || s.Odd != at+700 {
		t.Fatalf("while it is confirmed: %+v", s)
	}
	l.ok(l.round(confirm, refused("a")))
	due(at+700, fsm.WhyOdd)
	odd := l.claim(fsm.KindRefresh, subject.ID, fsm.WhyOdd)
	if s := l.schedule(subject); s.Odd != 0 {
		t.Fatalf("while it is looked at again: %+v", s)
	}
	again := l.round(odd, up("a"))
	again.Again = true
	l.ok(again)
	due(0, fsm.WhyDue)
}

// TestLifecycleMakesDue moves a node about: its cluster is due at once when the node was not asked before, and only then.
func TestLifecycleMakesDue(t *testing.T) {
	l, subject := scheduled(t)
	for _, step := range []struct {
		to  fsm.Lifecycle
		due bool
	}{{fsm.Maintenance, false}, {fsm.Commissioned, false}, {fsm.Decommissioned, false}, {fsm.Commissioned, true}} {
		r := l.state.Read()
		fact, err := fsm.Transition(r.Node(subject.ID, "a"), step.to, false)
		if err != nil {
			t.Fatal(err)
		}
		l.ok(&fsm.ClusterChange{Cause: operator, Changes: []fsm.Change{{
			Cluster: subject.ID, Base: r.ClusterByID(subject.ID).Index, Facts: []fsm.Fact{*fact},
		}}})
		if due := l.schedule(subject).AtOnce; due != step.due {
			t.Errorf("%s: due at once is %v", fact.Type, due)
		}
	}
}

// TestFailedRefresh checks that a refresh that failed as a whole uses up its slot and keeps notes and times.
func TestFailedRefresh(t *testing.T) {
	l, subject := scheduled(t)
	l.ok(l.round(l.claim(fsm.KindRefresh, subject.ID, fsm.WhyDue), refused("a")))
	was := l.schedule(subject)
	if was.Notes == nil {
		t.Fatal("a failed poll left no note")
	}
	claim := l.claim(fsm.KindRefresh, subject.ID, fsm.WhyDue)
	l.ok(&fsm.RefreshComplete{
		Cluster: subject.ID, Token: claim.Token, Last: true, Base: l.state.Read().ClusterByID(subject.ID).Index, Error: "no leader",
	})
	want := was
	want.Done, want.Last = l.now, fsm.Work{At: claim.Granted, Peer: "p", Outcome: fsm.OutcomeFailed, Error: "no leader", Reason: fsm.WhyDue}
	want.Past = l.schedule(subject).Past
	if past := want.Past.Work(); len(past) == 0 || past[0] != want.Last {
		t.Errorf("past is %+v", past)
	}
	if diff := cmp.Diff(want, l.schedule(subject)); diff != "" {
		t.Errorf("schedule (-want +got):\n%s", diff)
	}
}
