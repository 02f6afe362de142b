package agent

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/musterhq/muster/fsm"
)

// moments is how often a peer is stopped.
const moments = 200

// TestStopAtAnyMoment stops one of three peers at 200 random moments, from the first millisecond of its start until it leads and
// refreshes: it ends within five seconds each time. That nothing is left the bubble holds, which does not end before all its
// goroutines have.
func TestStopAtAnyMoment(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		w.settled(3, 3, func(s *fsm.Spec) { s.Refresh.Interval = fsm.Second })
		chance := rand.New(rand.NewPCG(1, 2))
		longest := []time.Duration{20 * time.Millisecond, time.Second, 5 * time.Second}
		stops := moments
		if testing.Short() {
			stops /= 5
		}
		for range stops {
			p := w.peers[chance.IntN(3)]
			w.pass(time.Duration(chance.Int64N(int64(longest[chance.IntN(len(longest))]))))
			w.stopIn5s(p)
			p.start(nil)
		}
		for _, p := range w.peers {
			p.await("all alive", rows(3))
		}
	})
}

// stopIn5s stops a peer, which has five seconds for it.
func (w *world) stopIn5s(p *peer) {
	w.t.Helper()
	began := time.Now()
	p.end()
	if took := time.Since(began); took > 5*time.Second {
		w.t.Errorf("%s took %s to stop", p.name, took)
	}
}
