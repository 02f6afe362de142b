package agent

import (
	"errors"
	"testing"

	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/agent/consensus"
	"github.com/musterhq/muster/agent/entries"
	"github.com/musterhq/muster/fsm"
)

// TestOutcomes says what a batch's errors mean for a command: whoever was refused may try again, of what raft lost nobody knows.
func TestOutcomes(t *testing.T) {
	for err, want := range map[error]struct {
		outcome outcome
		api     error
	}{
		consensus.ErrNotLeading: {notApplied, fsm.ErrUnavailable},
		entries.ErrFull:         {notApplied, fsm.ErrUnavailable},
		raft.ErrRaftShutdown:    {unknown, fsm.ErrUnknown},
		raft.ErrLeadershipLost:  {unknown, fsm.ErrUnknown},
	} {
		if got := classify(err); got != want.outcome {
			t.Errorf("%v: outcome %d, want %d", err, got, want.outcome)
		}
		if got := apiError(err); !errors.Is(got, want.api) {
			t.Errorf("%v: %v", err, got)
		}
	}
}
