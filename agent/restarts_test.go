package agent

import (
	"testing"
	"time"

	"github.com/musterhq/muster/fsm"
)

// TestRestartsLeaveALeader restarts the leader again and again, in order: another peer leads and takes writes at once, since leadership
// is handed over first. Whom nobody succeeds by word leaves the others to an election, which begins after half a second.
func TestRestartsLeaveALeader(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		for range 5 {
			p := w.leader()
			began := time.Now()
			p.stop()
			next := w.leaderOf(w.others(p))
			next.apply(&fsm.OperatorAct{Action: "note", Cause: operator})
			if took := time.Since(began); took > 200*time.Millisecond {
				t.Errorf("the group could not be written to for %s", took)
			}
			p.ended(nil)
			p.start(nil)
			next.await("all peers", rows(3))
		}
	})
}
