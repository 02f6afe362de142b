package refresh_test

import (
	"testing"

	"github.com/musterhq/muster/fsm"
)

// A node that failed is looked at again after retry_after, whatever the rhythm of the beats.
func TestLookAgainHasItsOwnTime(t *testing.T) {
	l := lead(t, 100, "a", "b")
	ids := l.read(2, 2)
	l.begin()
	if _, ok := l.sched.Look(); ok {
		t.Fatal("there is something to look at before anything failed")
	}
	l.next(ids[0])
	l.next(ids[1])
	l.answer(ids[0], "n0")
	at, ok := l.sched.Look()
	if want := l.mono + (500 * fsm.Millisecond).Std(); !ok || at != want {
		t.Fatalf("to be looked at at %s (%v), want %s", at, ok, want)
	}
	l.apply(l.beat(at - l.mono)...)
	if open := l.state.Read().Claim(fsm.Subject{Kind: fsm.KindRefresh, ID: ids[0]}); open == nil || open.Reason != fsm.WhyConfirm {
		t.Fatalf("the claim is %+v", open)
	}
	if _, ok := l.sched.Look(); ok {
		t.Fatal("what was granted is still to be looked at")
	}

	l.answer(ids[1], "n0")
	if later, _ := l.sched.Look(); later != at+(500*fsm.Millisecond).Std() {
		t.Fatalf("to be looked at at %s, want %s", later, at+(500*fsm.Millisecond).Std())
	}
}

// What no peer may look at again, or has room for, waits for the beats, whatever touches it; it is granted once one may.
func TestLookAgainWaitsWithTheBeats(t *testing.T) {
	l := lead(t, 100, "a", "b")
	id := l.read(2)[0]
	l.begin()
	l.next(id)
	l.answer(id, "n0")
	l.respec(func(s *fsm.RefreshSpec) { s.On = "c" })
	at, ok := l.sched.Look()
	if !ok {
		t.Fatal("a node failed and is not looked at again")
	}
	l.apply(l.beat(at - l.mono)...)
	if at, ok := l.sched.Look(); ok {
		t.Errorf("at %s, where no peer may, it is to be looked at again at %s", l.mono, at)
	}
	l.respec(func(s *fsm.RefreshSpec) { s.On = fsm.OnAny })
	if at, ok := l.sched.Look(); ok {
		t.Errorf("at %s, touched while it waits, it is to be looked at again at %s", l.mono, at)
	}
	l.apply(l.beat(quarter)...)
	if open := l.state.Read().Claim(fsm.Subject{Kind: fsm.KindRefresh, ID: id}); open == nil || open.Reason != fsm.WhyConfirm {
		t.Errorf("the claim is %+v", open)
	}
}
