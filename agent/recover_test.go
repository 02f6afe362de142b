package agent

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/agent/boltstore"
	"github.com/musterhq/muster/agent/datadir"
	"github.com/musterhq/muster/agent/offline"
	"github.com/musterhq/muster/fsm"
)

// onDisk gives a peer's log and snapshots to its data directory.
func onDisk(c *Config) { c.Seams.Logs, c.Seams.Stable, c.Seams.Snapshots = nil, nil, nil }

func recovery(t *testing.T, dir string) *offline.Recovery {
	t.Helper()
	r, err := offline.OpenRecovery(dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// filesOf are the digests of all files below a directory.
func filesOf(t *testing.T, dir string) map[string][32]byte {
	t.Helper()
	out := map[string][32]byte{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		out[strings.TrimPrefix(path, dir)] = sha256.Sum256(raw)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestRecovery loses two of three peers for good. The third is made a group of one from its disk; the others join it empty;
// what is left of the old group cannot disturb it.
func TestRecovery(t *testing.T) {
	inBubbleOf(t, 3, onDisk, func(t *testing.T, w *world) {
		w.settled(4, 2, nil)
		last := w.follower()
		last.apply(&fsm.OperatorAct{Action: "acknowledged", Cause: operator})
		if _, err := offline.OpenRecovery(last.dir, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "stop the peer first") {
			t.Errorf("of a running peer: %v", err)
		}
		old := last.machine.Read().Meta()
		lost := w.others(last)
		for _, p := range append(lost, last) {
			p.end()
		}

		before := filesOf(t, last.dir)
		delete(before, "/"+datadir.FileRaft) // opening it writes the next state of bbolt's own
		r := recovery(t, last.dir)
		names := []string{lost[0].name, lost[1].name}
		slices.Sort(names)
		slices.Sort(r.Dropped)
		if diff := cmp.Diff(names, r.Dropped); diff != "" || r.Peer != last.name || r.Seq < old.Seq || r.Index < old.Index {
			t.Errorf("it tells %+v; dropped (-want +got):\n%s", r, diff)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		after := filesOf(t, last.dir)
		delete(after, "/"+datadir.FileRaft)
		if diff := cmp.Diff(before, after); diff != "" {
			t.Errorf("a look changed files (-before +after):\n%s", diff)
		}

		r = recovery(t, last.dir)
		if err := errors.Join(r.Do(), r.Close()); err != nil {
			t.Fatal(err)
		}
		kept := filesOf(t, r.Aside)
		for name, sum := range before {
			if name != "/"+datadir.FileLock && name != "/promises.json" && name != "/"+datadir.FileGuard && kept[name] != sum {
				t.Errorf("%s is not kept as it was", name)
			}
		}
		if _, end := logOf(t, r.Aside); end != r.Index {
			t.Errorf("the log that was kept ends at %d, not at %d", end, r.Index)
		}
		last.start(nil)
		now := w.leaderOf([]*peer{last}).machine.Read()
		m := now.Meta()
		if diff := cmp.Diff([]string{last.id}, peerIDs(now)); diff != "" || m.Group == old.Group || m.Epoch() == old.Epoch() {
			t.Errorf("group %s, epoch %s, peers (-want +got):\n%s", m.Group, m.Epoch(), diff)
		}
		if told := last.events(old.Seq, "state.*"); len(told) != 1 {
			t.Errorf("told %+v", told)
		}
		if acts := last.events(0, "operator.*"); len(acts) != 1 {
			t.Errorf("what was acknowledged is there %d times", len(acts))
		}
		last.await("refreshes", observed(fsm.TimeOf(time.Now())))

		lost[0].start(nil) // as if its disk had come back
		w.pass(30 * time.Second)
		if m := last.machine.Read().Meta(); m.Group == old.Group || last.raft.State().String() != "Leader" {
			t.Errorf("a peer of the old group took the recovered one back to %s", m.Group)
		}
		lost[0].end()
		for _, p := range lost {
			p.dir = t.TempDir()
			if err := os.Chmod(p.dir, 0o700); err != nil {
				t.Fatal(err)
			}
			p.start(nil)
			p.await("the recovered group", func(r *fsm.Reader) bool { return r.Meta().Group == m.Group })
		}
		last.await("three peers", rows(3))
	})
}

// TestRecoveryFromAnOlderSnapshot damages the newest snapshot of a peer that has left its group: the one before it and the log
// hold all that it held. Where they do not, it is refused, and the message does not send anybody to a group that is lost.
func TestRecoveryFromAnOlderSnapshot(t *testing.T) {
	inBubbleOf(t, 1, onDisk, func(t *testing.T, w *world) {
		p := w.leader()
		for range 2 {
			p.apply(&fsm.OperatorAct{Action: "on", Cause: operator})
			p.snapshot()
		}
		old := p.machine.Read().Meta()
		p.end()
		d := mustOpen(t, p.dir)
		if err := errors.Join(d.Left(), d.Close()); err != nil {
			t.Fatal(err)
		}
		newest, err := filepath.Glob(filepath.Join(p.dir, "snapshots", fmt.Sprintf("*-%d-*", old.Index), "state.bin"))
		if err != nil || len(newest) != 1 {
			t.Fatalf("snapshots at %d: %q, %v", old.Index, newest, err)
		}
		if err := os.WriteFile(newest[0], []byte("damaged"), 0o600); err != nil {
			t.Fatal(err)
		}
		whole := filesOf(t, p.dir)

		r := recovery(t, p.dir)
		if r.Index < old.Index || r.Seq != old.Seq {
			t.Errorf("recovered to entry %d, event %d; it was at %d and %d", r.Index, r.Seq, old.Index, old.Seq)
		}
		if err := errors.Join(r.Do(), r.Close()); err != nil {
			t.Fatal(err)
		}
		if kept := filesOf(t, r.Aside); kept["/"+datadir.FileSelf] != whole["/"+datadir.FileSelf] {
			t.Error("peer.json is not kept as it was")
		}
		p.start(nil)
		if told := w.leader().events(old.Seq, "state.*"); len(told) != 1 {
			t.Errorf("told %+v", told)
		}
		p.end()

		lost := filepath.Join(r.Aside, datadir.FileLock)
		if err := os.WriteFile(lost, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		log, err := boltstore.Open(boltstore.Config{Path: filepath.Join(r.Aside, datadir.FileRaft)})
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(log.DeleteRange(1, r.Index-1), log.Close()); err != nil {
			t.Fatal(err)
		}
		_, err = offline.OpenRecovery(r.Aside, slog.New(slog.DiscardHandler))
		if err == nil || !strings.Contains(err.Error(), "state.bin is corrupt") || !strings.Contains(err.Error(), "take another one") {
			t.Errorf("an entry lacks between the snapshots: %v", err)
		}
		p.start(nil)
	})
}
