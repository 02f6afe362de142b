package agent

import (
	"slices"
	"testing"

	"github.com/hashicorp/raft"
)

// TestWhoStopsHandsOver stops the leaders of a group of three, one after the other: when one has stopped, another leads already.
// Were leadership not handed over, the others would take at least half a second to miss it, in which nothing can be written.
func TestWhoStopsHandsOver(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		for range 3 {
			old := w.leader()
			old.end()
			if !slices.ContainsFunc(w.others(old), func(p *peer) bool { return p.raft.State() == raft.Leader }) {
				t.Fatal("the leader has stopped, and nobody leads")
			}
			w.leader().note(1)
			old.start(nil)
			w.level(old)
			old.await("all peers' rows", rows(3))
		}
	})
}
