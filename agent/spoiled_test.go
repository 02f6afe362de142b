package agent

import (
	"os"
	"path/filepath"
	"testing"
)

// TestDamagedSnapshotHoldsNobodyUp damages the only snapshot of a leader while a follower lacks entries that the log has no more. The
// leader notices when it is to send it, says so and takes a new one, which the follower gets.
func TestDamagedSnapshotHoldsNobodyUp(t *testing.T) {
	for _, name := range []string{"state.bin", "meta.json"} {
		withPost(t, func(t *testing.T, w *world, p *post) {
			leader, follower := w.leader(), w.follower()
			w.isolate(follower)
			leader.note(20)
			leader.snapshot()
			leader.note(5)
			file := filepath.Join(leader.dir, "snapshots", leader.snapshotsKept(), name)
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			raw[len(raw)/2] ^= 1
			if err := os.WriteFile(file, raw, 0o600); err != nil {
				t.Fatal(err)
			}
			w.heal()
			w.level(follower)
			if said := leader.said.with("a snapshot is damaged", name); len(said) != 1 || leader.snapshotsDamaged() != 1 {
				t.Errorf("%s: it says %q and counts %d", name, said, leader.snapshotsDamaged())
			}
			if _, err := os.Stat(file); !os.IsNotExist(err) || leader.snapshots.Spoiled() {
				t.Errorf("%s: the damaged one is there still: %v", name, err)
			}
			if p.head.LastLogIndex == 0 {
				t.Errorf("%s: the follower was sent no snapshot: this tests nothing", name)
			}
		})
	}
}
