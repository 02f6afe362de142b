package consensus_test

import (
	"syscall"
	"testing"

	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/agent/consensus"
)

// TestOnlyTermsAreLetThrough: neither a vote nor what a store that goes on refuses is said to be saved.
func TestOnlyTermsAreLetThrough(t *testing.T) {
	var latched error
	s := consensus.Stable{StableStore: failing{raft.NewInmemStore()}, Latched: func() error { return latched }}
	if err := s.SetUint64(consensus.KeyTerm, 1); err != syscall.EIO {
		t.Errorf("a term that is not saved gave %v", err)
	}
	latched = syscall.EIO
	if err := s.SetUint64(consensus.KeyTerm, 2); err != nil {
		t.Errorf("a term after the store has latched gave %v", err)
	}
	if err := s.SetUint64(consensus.KeyVoteTerm, 2); err != syscall.EIO {
		t.Errorf("a vote that is not saved gave %v", err)
	}
}

// failing is a stable store whose disk is gone.
type failing struct{ raft.StableStore }

// SetUint64 is raft.StableStore's.
func (failing) SetUint64([]byte, uint64) error { return syscall.EIO }
