package refresh_test

import (
	"testing"

	"github.com/musterhq/muster/fsm"
)

// What found no room is looked at again as soon as a claim closes, not at the next beat; while nothing waits for room, or none
// was freed, the beats keep their rhythm.
func TestFreedRoomIsGivenSoon(t *testing.T) {
	l := lead(t, 10, "a")
	l.finishRuns()
	ids := l.read(4, 4, 4)
	l.begin()
	l.grantAll()
	if l.grantAll(); l.held()["a"] != 8 {
		t.Fatalf("%d polls are held, want 8 of 12", l.held()["a"])
	}
	if at, ok := l.sched.Look(); ok {
		t.Errorf("a look at %s though no room was freed", at)
	}
	closed := 0
	for _, id := range ids {
		if closed == 0 && l.state.Read().Claim(fsm.Subject{Kind: fsm.KindRefresh, ID: id}) != nil {
			l.complete(id)
			closed++
		}
	}
	if at, ok := l.sched.Look(); !ok || at > l.mono {
		t.Errorf("room was freed: look at %s, %v", at, ok)
	}
	if n := l.grantAll(); n != 1 {
		t.Errorf("%d claims in the freed room, want 1", n)
	}
	for _, id := range ids {
		if l.state.Read().Claim(fsm.Subject{Kind: fsm.KindRefresh, ID: id}) != nil {
			l.complete(id)
		}
	}
	if at, ok := l.sched.Look(); ok {
		t.Errorf("a look at %s though nothing waits for room", at)
	}
}
