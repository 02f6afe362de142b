package refresh_test

import (
	"testing"
	"time"

	"github.com/musterhq/muster/fsm"
)

// A doubted peer is not doubted anew for what it failed before, of which others say only later that it was not so: one event
// per minute of suspension, and none once it asks nodes well.
func TestDoubtIsToldOnce(t *testing.T) {
	l := lead(t, 1000, "a", "b", "c")
	sizes := make([]int, 120)
	for i := range sizes {
		sizes[i] = 1
	}
	l.read(sizes...)
	l.begin()
	doubted, blind := 0, true
	for beat := range 4 * 150 {
		commands := l.beat(quarter)
		l.apply(commands...)
		for _, c := range commands {
			if _, ok := c.(*fsm.PeerSet); ok {
				doubted++
			}
		}
		blind = blind && l.mono < 30*time.Second
		l.finishRuns()
		for c := range l.state.Read().Claims() {
			switch {
			case c.Peer == "b" && blind:
				l.answer(c.Subject.ID, "n0")
			case c.Reason != fsm.WhyConfirm || uint64(beat)%4 == c.Subject.ID%4: // second opinions come one after the other
				l.answer(c.Subject.ID)
			}
		}
	}
	if doubted != 1 {
		t.Errorf("the peer was doubted %d times", doubted)
	}
}
