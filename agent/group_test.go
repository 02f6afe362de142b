package agent

import (
	"testing"

	"github.com/musterhq/muster/fsm"
)

// healthy says whether n clusters are all healthy.
func healthy(n int) func(*fsm.Reader) bool {
	return func(r *fsm.Reader) bool {
		found := 0
		for c := range r.Clusters("") {
			if c.Health == fsm.HealthHealthy {
				found++
			}
		}
		return found == n
	}
}

// TestGroupAgreesOnViews goes the whole way on three peers: founded, a discovery applied, every peer holds every view.
func TestGroupAgreesOnViews(t *testing.T) {
	inBubble(t, 3, func(w *world) {
		w.clusters(10, 3)
		w.discover(nil)
		for _, p := range w.peers {
			p.await("10 healthy clusters", healthy(10))
		}
	})
}
