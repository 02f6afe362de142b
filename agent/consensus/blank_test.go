package consensus_test

import (
	"testing"

	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/agent/consensus"
)

// TestBlankAfterCrashWhileFounding leaves what a crash between raft's term and its first entry leaves: founding must be
// possible again, but a vote must stand.
func TestBlankAfterCrashWhileFounding(t *testing.T) {
	for name, voted := range map[string]uint64{"founding": 0, "voter": 1} {
		t.Run(name, func(t *testing.T) {
			store := raft.NewInmemStore()
			snapshots := raft.NewInmemSnapshotStore()
			if err := store.SetUint64(consensus.KeyTerm, 1); err != nil {
				t.Fatal(err)
			}
			if voted > 0 {
				if err := store.SetUint64(consensus.KeyVoteTerm, voted); err != nil {
					t.Fatal(err)
				}
			}
			fresh, err := consensus.Blank(store, store, snapshots)
			if err != nil || !fresh {
				t.Fatalf("blank: %v, %v", fresh, err)
			}
			has, err := raft.HasExistingState(store, store, snapshots)
			if err != nil || has != (voted > 0) {
				t.Fatalf("raft finds state: %v, %v", has, err)
			}
		})
	}
}
