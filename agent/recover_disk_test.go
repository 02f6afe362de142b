package agent

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/agent/boltstore"
	"github.com/musterhq/muster/agent/consensus"
	"github.com/musterhq/muster/agent/datadir"
	"github.com/musterhq/muster/agent/offline"
	"github.com/musterhq/muster/fsm"
)

// trimmed is onDisk with a log that a snapshot leaves nothing of.
func trimmed(c *Config) {
	onDisk(c)
	c.Seams.Raft = func(p *consensus.Parts) { p.Config.TrailingLogs = 0 }
}

// snapshotted loses a group of three of which one peer has two snapshots, with an operator's act before each and one after.
func (w *world) snapshotted() *peer {
	w.t.Helper()
	last := w.follower()
	for _, action := range []string{"first", "second"} {
		last.apply(&fsm.OperatorAct{Action: action, Cause: operator})
		if err := last.raft.Snapshot().Error(); err != nil {
			w.t.Fatal(err)
		}
		w.pass(time.Second)
	}
	last.apply(&fsm.OperatorAct{Action: "third", Cause: operator})
	for _, p := range w.peers {
		p.end()
	}
	return last
}

// TestRecoveryOfATrimmedLog recovers from a snapshot and the entries after it. What is left is what a group of one has: a
// snapshot for itself alone, in the term that the peer was in, no log, and no word of the others or of the old group.
func TestRecoveryOfATrimmedLog(t *testing.T) {
	inBubbleOf(t, 3, trimmed, func(t *testing.T, w *world) {
		last := w.snapshotted()
		term, _ := logOf(t, last.dir)
		before := filesOf(t, last.dir)
		r := recovery(t, last.dir)
		if err := errors.Join(r.Do(), r.Close()); err != nil {
			t.Fatal(err)
		}
		aside, states := filesOf(t, r.Aside), 0
		for name, sum := range before {
			if filepath.Base(name) == "state.bin" {
				states++
				if aside[name] != sum {
					t.Errorf("%s is not kept as it was", name)
				}
			}
		}
		if states != 2 {
			t.Fatalf("%d snapshots were there: this tests nothing", states)
		}
		if _, end := logOf(t, last.dir); end != 0 {
			t.Errorf("the log still ends at %d", end)
		}
		snaps, err := raft.NewFileSnapshotStoreWithLogger(last.dir, 2, nil)
		if err != nil {
			t.Fatal(err)
		}
		all, err := snaps.List()
		if err != nil {
			t.Fatal(err)
		}
		only := []raft.Server{{ID: raft.ServerID(last.id), Address: raft.ServerAddress(last.id)}}
		if diff := cmp.Diff(only, all[0].Configuration.Servers); diff != "" || all[0].Term != term || all[0].Index <= r.Index {
			t.Errorf("the snapshot is of entry %d in term %d, was %d; servers (-want +got):\n%s", all[0].Index, all[0].Term, term, diff)
		}
		if _, err := os.Stat(filepath.Join(last.dir, datadir.FilePeers)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the addresses of the others are still there: %v", err)
		}
		d, err := datadir.OpenStopped(last.dir)
		if err != nil {
			t.Fatal(err)
		}
		group := d.Group()
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		last.start(nil)
		now := w.leaderOf([]*peer{last}).machine.Read()
		if now.Meta().Group != group {
			t.Errorf("the directory is of group %s, the state of %s", group, now.Meta().Group)
		}
		if acts := last.events(0, "operator.*"); len(acts) != 3 {
			t.Errorf("of three acts %d are there", len(acts))
		}
	})
}

// logOf is the term that a stopped peer is in, and the last entry of its log.
func logOf(t *testing.T, dir string) (term, last uint64) {
	t.Helper()
	store, err := boltstore.Open(boltstore.Config{Path: filepath.Join(dir, datadir.FileRaft)})
	if err != nil {
		t.Fatal(err)
	}
	term, err = consensus.Term(store)
	last, errLast := store.LastIndex()
	if err := errors.Join(err, errLast, store.Close()); err != nil {
		t.Fatal(err)
	}
	return term, last
}

// TestRecoveryIsRunAgain cuts a recovery off once its snapshot is written, and runs it again. It changes nothing where it
// cannot keep the old files.
func TestRecoveryIsRunAgain(t *testing.T) {
	inBubbleOf(t, 3, trimmed, func(t *testing.T, w *world) {
		last := w.snapshotted()
		r := recovery(t, last.dir)
		before := filesOf(t, last.dir)
		if err := os.Mkdir(r.Aside, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := r.Do(); err == nil || !strings.Contains(err.Error(), r.Aside) {
			t.Errorf("the old files could not be kept, and it says: %v", err)
		}
		if diff := cmp.Diff(before, filesOf(t, last.dir)); diff != "" {
			t.Errorf("they were changed (-before +after):\n%s", diff)
		}
		if err := errors.Join(os.Remove(r.Aside), r.Do(), r.Close()); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(r.Aside, datadir.FileRaft), filepath.Join(last.dir, datadir.FileRaft)); err != nil {
			t.Fatal(err)
		}
		w.pass(time.Second)
		if r = recovery(t, last.dir); r.Peer != last.name || len(r.Dropped) != 0 {
			t.Errorf("%s is to go on without %v", r.Peer, r.Dropped)
		}
		if err := errors.Join(r.Do(), r.Close()); err != nil {
			t.Fatal(err)
		}
		last.start(nil)
		w.leaderOf([]*peer{last}).apply(&fsm.OperatorAct{Action: "fourth", Cause: operator})
		if acts := last.events(0, "operator.*"); len(acts) != 4 {
			t.Errorf("of four acts %d are there", len(acts))
		}
	})
}

// TestStoppedDirectoriesAreGuarded has what works on stopped peers meet a directory that a later release has written.
func TestStoppedDirectoriesAreGuarded(t *testing.T) {
	inBubbleOf(t, 1, onDisk, func(t *testing.T, w *world) {
		p := w.leader()
		p.end()
		if _, _, err := offline.CompactLog(p.dir); err != nil {
			t.Fatal(err)
		}
		if _, _, err := offline.CompactLog(p.dir); err != nil {
			t.Errorf("a second time: %v", err)
		}
		guarded(t, p.dir, datadir.FileGuard, []byte(`{"format":9,"feature_level":1,"version":"2.3.4"}`))
		before := filesOf(t, p.dir)
		_, _, err := offline.CompactLog(p.dir)
		_, recovers := offline.OpenRecovery(p.dir, nil)
		for _, err := range []error{err, recovers} {
			if !errors.Is(err, fsm.ErrNewer) {
				t.Errorf("it is worked on: %v", err)
			}
		}
		if diff := cmp.Diff(before, filesOf(t, p.dir)); diff != "" {
			t.Errorf("it was changed (-before +after):\n%s", diff)
		}
		if err := os.Remove(filepath.Join(p.dir, datadir.FileGuard)); err != nil {
			t.Fatal(err)
		}
		p.start(nil)
	})
}
