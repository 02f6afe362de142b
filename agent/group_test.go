package agent

import (
	"errors"
	"testing"
)

func errorIs(err, want error) bool {
	if want == nil {
		return err == nil
	}
	return errors.Is(err, want)
}

// TestGroupAgreesOnViews goes the whole way on three peers: founded, a discovery applied, every peer holds every view.
func TestGroupAgreesOnViews(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		w.clusters(10, 3)
		w.discover(nil)
		for _, p := range w.peers {
			p.await("10 healthy clusters", healthy(10))
		}
	})
}
