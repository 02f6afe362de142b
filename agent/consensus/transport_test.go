package consensus_test

import (
	"math"
	"testing"

	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/agent/consensus"
)

// TestOnlySnapshotsAreJudged says which requests are for raft.
func TestOnlySnapshotsAreJudged(t *testing.T) {
	for size, taken := range map[int64]bool{
		0: true, 999: true, 1000: true, 1001: false, 1 << 40: false, math.MaxInt64: false, -1: false, math.MinInt64: false,
	} {
		if err := consensus.Judge(1000, &raft.InstallSnapshotRequest{Size: size}); (err == nil) != taken {
			t.Errorf("a snapshot of %d bytes: %v", size, err)
		}
	}
	for _, other := range []any{&raft.AppendEntriesRequest{}, &raft.RequestVoteRequest{}, nil} {
		if err := consensus.Judge(1000, other); err != nil {
			t.Errorf("%T: %v", other, err)
		}
	}
}
