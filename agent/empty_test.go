package agent

import (
	"errors"
	"testing"
	"time"

	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

// TestStaleReadOfNothing starts a peer alone after the whole group has stopped: nobody tells it how far its log counts, so its
// state is empty. It must say so, and not that there is nothing: a follower of events would take its cursor for one that is
// no longer kept.
func TestStaleReadOfNothing(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		for _, p := range w.peers {
			p.end()
		}
		alone := w.peers[1]
		alone.start(nil)
		w.pass(5 * time.Second)
		if _, _, err := (replicaFace{alone.Agent}).Read(t.Context(), httpd.Stale); !errors.Is(err, fsm.ErrUnavailable) {
			t.Errorf("a stale read of an empty state gave: %v", err)
		}
		w.peers[0].start(nil)
		w.peers[2].start(nil)
		for _, p := range w.peers {
			p.await("all peers' rows", rows(3))
			if _, _, err := (replicaFace{p.Agent}).Read(t.Context(), httpd.Stale); err != nil {
				t.Errorf("%s: a stale read gave: %v", p.name, err)
			}
		}
	})
}
