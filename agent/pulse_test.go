package agent

import (
	"testing"
	"time"

	"github.com/musterhq/muster/agent/consensus"
)

// TestLeaderThatWasStoppedAsksAnew reads from a leader that runs, and from one whose process stood still for a second: what
// raft hears at once then may be the answer to what was asked before.
func TestLeaderThatWasStoppedAsksAnew(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		w.pass(10 * time.Second)
		lead := w.leader().term.Load()
		read := func() time.Duration {
			began := time.Now()
			if _, err := lead.index(t.Context(), nothing{}); err != nil {
				t.Fatal(err)
			}
			return time.Since(began)
		}
		if took := read(); took >= consensus.Stopped {
			t.Errorf("a read of a leader that runs took %s", took)
		}
		lead.pulse.Beat(time.Now().Add(-time.Second))
		if took := read(); took <= consensus.Stopped {
			t.Errorf("a read of a leader that was stopped took %s", took)
		}
		if took := read(); took >= consensus.Stopped {
			t.Errorf("a read later took %s", took)
		}
	})
}
