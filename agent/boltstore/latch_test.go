package boltstore_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/agent/boltstore"
)

// wantLatched checks that every kind of write is refused because of cause.
func wantLatched(t *testing.T, store *boltstore.Store, cause error) {
	t.Helper()
	select {
	case <-store.Latched():
	default:
		t.Fatal("the owner was not told")
	}
	if !errors.Is(store.Err(), cause) || errors.Is(store.Err(), boltstore.ErrLatched) {
		t.Fatalf("the first error is %v, want %v", store.Err(), cause)
	}
	for name, err := range map[string]error{
		"StoreLog":    store.StoreLog(entry(5000)),
		"StoreLogs":   store.StoreLogs(entries(5000, 5001)),
		"DeleteRange": store.DeleteRange(1, 1),
		"Set":         store.Set([]byte("k"), []byte("v")),
		"SetUint64":   store.SetUint64([]byte("k"), 1),
	} {
		if !errors.Is(err, boltstore.ErrLatched) || !errors.Is(err, cause) {
			t.Errorf("%s: got %v, want ErrLatched because of %v", name, err, cause)
		}
	}
}

func TestFailedWriteLatches(t *testing.T) {
	path := filePath(t)
	errDisk := errors.New("input/output error")
	var failing atomic.Bool
	var calls atomic.Int32
	store := open(t, boltstore.Config{Path: path, BeforeCommit: func() error {
		calls.Add(1)
		if failing.Load() {
			return errDisk
		}
		return nil
	}})
	storeLogs(t, store, entries(1, 5)...)
	if store.Err() != nil {
		t.Fatal(store.Err())
	}

	failing.Store(true)
	err := store.StoreLogs(entries(6, 8))
	if !errors.Is(err, errDisk) || errors.Is(err, boltstore.ErrLatched) || !strings.Contains(err.Error(), path) {
		t.Fatalf("got %v, want the disk's error and the file's name", err)
	}
	failing.Store(false)
	before := calls.Load()
	wantLatched(t, store, errDisk)
	if calls.Load() != before {
		t.Fatal("a write was tried after the latch")
	}
	wantEnds(t, store, 1, 5)
	wantEntries(t, store, entries(1, 5)...)

	closeStore(t, store)
	store = open(t, boltstore.Config{Path: path})
	wantEnds(t, store, 1, 5)
	storeLogs(t, store, entry(6))
}

// TestFailedWriteLetsNothingPass has writers queue behind one that fails.
func TestFailedWriteLetsNothingPass(t *testing.T) {
	errDisk := errors.New("input/output error")
	entered, leave := make(chan struct{}), make(chan struct{})
	var calls atomic.Int32
	store := open(t, boltstore.Config{Path: filePath(t), BeforeCommit: func() error {
		if calls.Add(1) == 1 {
			return nil
		}
		close(entered) // panics if a second write gets here
		<-leave
		return errDisk
	}})
	results := make(chan error)
	go func() { results <- store.StoreLog(entry(1)) }()
	<-entered
	const queued = 8
	for i := range queued {
		go func() { results <- store.SetUint64([]byte("k"), uint64(i)) }()
	}
	close(leave)
	latched := 0
	for range queued + 1 {
		err := <-results
		if !errors.Is(err, errDisk) {
			t.Errorf("got %v", err)
		}
		if errors.Is(err, boltstore.ErrLatched) {
			latched++
		}
	}
	if latched != queued {
		t.Errorf("%d writes were refused, want %d", latched, queued)
	}
}

const fileLimit = 4 << 20

// appendToFileLimit runs in a process of its own: the limit holds for all of it.
func appendToFileLimit(path string) error {
	limit := syscall.Rlimit{Cur: fileLimit, Max: fileLimit}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	store, err := boltstore.Open(boltstore.Config{Path: path})
	if err != nil {
		return err
	}
	index := uint64(0)
	for err == nil {
		index++
		err = store.StoreLog(bigEntry(index))
	}
	if !strings.Contains(err.Error(), syscall.EFBIG.Error()) || store.Err() != err {
		return fmt.Errorf("append ended with %v, latched by %v", err, store.Err())
	}
	if err := store.SetUint64([]byte("k"), 1); !errors.Is(err, boltstore.ErrLatched) {
		return fmt.Errorf("a small write that has room was taken: %v", err)
	}
	if err := store.GetLog(index-1, new(raft.Log)); err != nil {
		return err
	}
	fmt.Println(index - 1)
	return store.Close()
}

func bigEntry(index uint64) *raft.Log {
	log := entry(index)
	log.Data = bytes.Repeat([]byte{byte(index)}, 60<<10)
	return log
}

func TestDiskThatTakesNoMoreLatches(t *testing.T) {
	path := filePath(t)
	out, err := child(t, "limit", path).Output()
	if err != nil {
		t.Fatal(err)
	}
	last, err := strconv.ParseUint(strings.TrimSpace(string(out)), 10, 64)
	if err != nil || last < 10 {
		t.Fatalf("%d entries of 60 KiB fitted into 4 MiB: %v", last, err)
	}
	store := open(t, boltstore.Config{Path: path})
	wantEnds(t, store, 1, last)
	for index := uint64(1); index <= last; index++ {
		wantEntries(t, store, bigEntry(index))
	}
	storeLogs(t, store, bigEntry(last+1))
}

// appendForEver prints each index once its entry is acknowledged.
func appendForEver(path string) error {
	store, err := boltstore.Open(boltstore.Config{Path: path})
	if err != nil {
		return err
	}
	for index := uint64(1); ; index += 3 {
		if err := store.StoreLogs(entries(index, index+2)); err != nil {
			return err
		}
		if err := store.SetUint64([]byte("acked"), index+2); err != nil {
			return err
		}
		fmt.Println(index + 2)
	}
}

func TestAcknowledgedSurvivesKill(t *testing.T) {
	path := filePath(t)
	cmd := child(t, "append", path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	acked := uint64(0)
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			break // what is cut off was not acknowledged
		}
		if acked, err = strconv.ParseUint(strings.TrimSpace(line), 10, 64); err != nil {
			t.Fatal(err)
		}
		if acked == 150 {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); err == nil || acked < 150 {
		t.Fatalf("the child ended by itself after entry %d: %v", acked, err)
	}

	store := open(t, boltstore.Config{Path: path})
	wantEntries(t, store, entries(1, acked)...)
	if n, err := store.GetUint64([]byte("acked")); err != nil || n < acked {
		t.Fatalf("the key holds %d, %v; %d was acknowledged", n, err, acked)
	}
	last, err := store.LastIndex()
	if err != nil || last%3 != 0 {
		t.Fatalf("the log ends at %d, within a batch: %v", last, err)
	}
}
