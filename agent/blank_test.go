package agent

import (
	"testing"

	"github.com/hashicorp/raft"
)

// TestBlankAfterCrashWhileFounding leaves what a crash between raft's term and its first entry leaves: founding must be
// possible again, but a vote must stand.
func TestBlankAfterCrashWhileFounding(t *testing.T) {
	for name, voted := range map[string]uint64{"founding": 0, "voter": 1} {
		t.Run(name, func(t *testing.T) {
			store := raft.NewInmemStore()
			s := &Seams{Logs: store, Stable: store, Snapshots: raft.NewInmemSnapshotStore()}
			if err := store.SetUint64(keyTerm, 1); err != nil {
				t.Fatal(err)
			}
			if voted > 0 {
				if err := store.SetUint64(keyVoteTerm, voted); err != nil {
					t.Fatal(err)
				}
			}
			fresh, err := blank(s)
			if err != nil || !fresh {
				t.Fatalf("blank: %v, %v", fresh, err)
			}
			has, err := raft.HasExistingState(s.Logs, s.Stable, s.Snapshots)
			if err != nil || has != (voted > 0) {
				t.Fatalf("raft finds state: %v, %v", has, err)
			}
		})
	}
}
