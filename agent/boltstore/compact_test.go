package boltstore_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/agent/boltstore"
)

func TestCompactGivesRoomBackAndKeepsTheRest(t *testing.T) {
	path := filePath(t)
	store := open(t, boltstore.Config{Path: path})
	for first := uint64(1); first <= 5_000; first += 1000 {
		storeLogs(t, store, entries(first, first+999)...)
	}
	if err := store.DeleteRange(1, 4_900); err != nil {
		t.Fatal(err)
	}
	if err := store.SetUint64([]byte("CurrentTerm"), 7); err != nil {
		t.Fatal(err)
	}
	if _, _, err := boltstore.Compact(path); !errors.Is(err, boltstore.ErrLocked) {
		t.Errorf("a file in use: %v", err)
	}
	closeStore(t, store)
	was, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".compact.tmp", []byte("what a crash left"), 0o600); err != nil {
		t.Fatal(err)
	}
	before, after, err := boltstore.Compact(path)
	is, statErr := os.Stat(path)
	if err != nil || statErr != nil || before != was.Size() || after != is.Size() || after*4 > before || is.Mode().Perm() != 0o600 {
		t.Errorf("from %d to %d bytes, the file has %d, mode %v: %v, %v", before, after, is.Size(), is.Mode(), err, statErr)
	}
	if _, err := os.Stat(path + ".compact.tmp"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the other file is still there: %v", err)
	}
	store = open(t, boltstore.Config{Path: path})
	if term, err := store.GetUint64([]byte("CurrentTerm")); err != nil || term != 7 {
		t.Errorf("term %d: %v", term, err)
	}
	for index := uint64(4_901); index <= 5_000; index++ {
		var got raft.Log
		if err := store.GetLog(index, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(*entry(index), got); diff != "" {
			t.Fatalf("entry %d (-want +got):\n%s", index, diff)
		}
	}
	if first, err := store.FirstIndex(); err != nil || first != 4_901 {
		t.Errorf("the first entry is %d: %v", first, err)
	}
}

func TestCompactRefuses(t *testing.T) {
	path := filePath(t)
	if _, _, err := boltstore.Compact(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if err := os.WriteFile(path, make([]byte, 64<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := boltstore.Compact(path); !errors.Is(err, boltstore.ErrCorrupt) {
		t.Errorf("no log store: %v", err)
	}
	if raw, err := os.ReadFile(path); err != nil || len(raw) != 64<<10 {
		t.Errorf("it was changed: %d bytes, %v", len(raw), err)
	}
}

// compactToFileLimit runs in a process of its own that may write no file as large as the log.
func compactToFileLimit(path string) error {
	limit := syscall.Rlimit{Cur: 1 << 20, Max: 1 << 20}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	if _, _, err := boltstore.Compact(path); err == nil || !strings.Contains(err.Error(), syscall.EFBIG.Error()) {
		return fmt.Errorf("it ended with: %w", err)
	}
	return nil
}

// TestCompactWithoutRoom fails in the middle: the log is as it was, and nothing else is left.
func TestCompactWithoutRoom(t *testing.T) {
	path := filePath(t)
	store := open(t, boltstore.Config{Path: path})
	var want []*raft.Log
	for index := uint64(1); index <= 40; index++ {
		want = append(want, bigEntry(index))
	}
	storeLogs(t, store, want...)
	closeStore(t, store)
	if err := child(t, "compact", path).Run(); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 1 {
		t.Errorf("there are %v, %v", left, err)
	}
	store = open(t, boltstore.Config{Path: path})
	wantEntries(t, store, want...)
}
