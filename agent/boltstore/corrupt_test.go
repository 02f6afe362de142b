package boltstore_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/raft"
	"go.etcd.io/bbolt"

	"github.com/musterhq/muster/agent/boltstore"
)

// wantCorrupt checks the error and that it names file, entry and way out.
func wantCorrupt(t *testing.T, err error, path string, index uint64) {
	t.Helper()
	var corrupt *boltstore.CorruptError
	if !errors.Is(err, boltstore.ErrCorrupt) || !errors.As(err, &corrupt) {
		t.Fatalf("got %v, want a CorruptError", err)
	}
	if corrupt.Path != path || corrupt.Index != index {
		t.Fatalf("got file %s, entry %d, want %s, %d", corrupt.Path, corrupt.Index, path, index)
	}
	for _, part := range []string{path, "move its data directory " + filepath.Dir(path) + " away", "-join"} {
		if !strings.Contains(err.Error(), part) {
			t.Fatalf("%q does not say %q", err, part)
		}
	}
}

// TestEveryDamagedBitIsFound stores one entry per bit of an entry and damages
// another bit of each. What is then served must be what was stored.
func TestEveryDamagedBitIsFound(t *testing.T) {
	path := filePath(t)
	sample := entry(7)
	sample.Extensions = []byte("own")
	bits := uint64(8 * len(foreignValue(t, withTrailer(*sample))))

	want := make([]*raft.Log, bits)
	for i := range want {
		log := *sample
		log.Index = uint64(i) + 1000 // all encode to the same length
		want[i] = &log
	}
	store := open(t, boltstore.Config{Path: path})
	storeLogs(t, store, want...)
	closeStore(t, store)

	withBolt(t, path, func(logs, _ *bbolt.Bucket) error {
		for bit, log := range want {
			value := bytes.Clone(logs.Get(key(log.Index)))
			value[(bit/8)%len(value)] ^= 1 << (bit % 8)
			if err := logs.Put(key(log.Index), value); err != nil {
				return err
			}
		}
		return nil
	})

	store = open(t, boltstore.Config{Path: path})
	found := 0
	for bit, log := range want {
		var got raft.Log
		err := store.GetLog(log.Index, &got)
		if err == nil {
			if diff := cmp.Diff(*log, got); diff != "" {
				t.Errorf("bit %d of byte %d went unnoticed (-want +got):\n%s", bit%8, bit/8, diff)
			}
			continue
		}
		wantCorrupt(t, err, path, log.Index)
		found++
	}
	if found < len(want)*9/10 {
		t.Fatalf("only %d of %d damaged entries were found", found, len(want))
	}
}

func TestCorruptEntryLatches(t *testing.T) {
	path := filePath(t)
	store := open(t, boltstore.Config{Path: path})
	storeLogs(t, store, entries(1, 3)...)
	closeStore(t, store)
	withBolt(t, path, func(logs, _ *bbolt.Bucket) error {
		value := bytes.Clone(logs.Get(key(2)))
		value[bytes.Index(value, entry(2).Data)]++
		return logs.Put(key(2), value)
	})

	store = open(t, boltstore.Config{Path: path})
	wantEntries(t, store, entry(1))
	if store.Err() != nil {
		t.Fatalf("latched before the damage was met: %v", store.Err())
	}
	read := raft.Log{Index: 99}
	wantCorrupt(t, store.GetLog(2, &read), path, 2)
	if read.Index != 99 {
		t.Fatalf("a corrupt entry was served: %+v", read)
	}
	wantLatched(t, store, boltstore.ErrCorrupt)
	wantEntries(t, store, entry(1), entry(3))
}

// TestValueThatIsNotTheEntryIsCorrupt is about entries without a checksum.
func TestValueThatIsNotTheEntryIsCorrupt(t *testing.T) {
	value := foreignValue(t, *entry(2))
	for name, spoilt := range map[string][]byte{
		"another index":  foreignValue(t, *entry(3)),
		"trailing bytes": append(bytes.Clone(value), 0xc0),
		"cut short":      value[:len(value)-1],
		"unknown field":  bytes.Replace(value, []byte("Term"), []byte("Turm"), 1),
		"empty":          {},
	} {
		t.Run(name, func(t *testing.T) {
			path := filePath(t)
			withBolt(t, path, func(logs, _ *bbolt.Bucket) error { return logs.Put(key(2), spoilt) })
			store := open(t, boltstore.Config{Path: path})
			wantCorrupt(t, store.GetLog(2, new(raft.Log)), path, 2)
		})
	}
}

func TestKeyThatIsNoIndexIsCorrupt(t *testing.T) {
	path := filePath(t)
	withBolt(t, path, func(logs, _ *bbolt.Bucket) error { return logs.Put([]byte("nine bytes"), []byte("x")) })
	store := open(t, boltstore.Config{Path: path})
	_, err := store.LastIndex()
	wantCorrupt(t, err, path, 0)
	wantLatched(t, store, boltstore.ErrCorrupt)
}

// brokenStore is open on a file that someone spoils underneath it.
func brokenStore(t *testing.T, spoil func(path string, size int64) error) (*boltstore.Store, string) {
	t.Helper()
	path := filePath(t)
	store, err := boltstore.Open(boltstore.Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	storeLogs(t, store, entries(1, 2000)...)
	stat, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := spoil(path, stat.Size()); err != nil {
		t.Fatal(err)
	}
	return store, path
}

func TestDamagedPagesAreCorrupt(t *testing.T) {
	store, path := brokenStore(t, func(path string, size int64) error {
		file, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		const metaPages = 2 * 4096
		_, err = file.WriteAt(bytes.Repeat([]byte{0xff}, int(size)-metaPages), metaPages)
		return errors.Join(err, file.Close())
	})
	wantCorrupt(t, store.GetLog(1000, new(raft.Log)), path, 0)
	wantLatched(t, store, boltstore.ErrCorrupt)
	wantCorrupt(t, store.Close(), path, 0)
}

func TestUnreadablePagesAreCorrupt(t *testing.T) {
	store, path := brokenStore(t, func(path string, _ int64) error { return os.Truncate(path, 0) })
	wantCorrupt(t, store.GetLog(1000, new(raft.Log)), path, 0)
	_, err := store.LastIndex()
	wantCorrupt(t, err, path, 0)
	wantLatched(t, store, boltstore.ErrCorrupt)
	wantCorrupt(t, store.Close(), path, 0)
}

// TestAnyDamagedPageIsMetWithoutPanic spoils each page in turn. Open refuses the
// file, or what it can read of it is right.
func TestAnyDamagedPageIsMetWithoutPanic(t *testing.T) {
	path := filePath(t)
	store := open(t, boltstore.Config{Path: path})
	storeLogs(t, store, entries(1, 500)...)
	closeStore(t, store)
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	size, refused := os.Getpagesize(), 0
	for page := 0; page < len(content)/size; page++ {
		spoilt := bytes.Clone(content)
		for i := range size {
			spoilt[page*size+i] = 0xff
		}
		path := filepath.Join(t.TempDir(), "raft.db")
		if err := os.WriteFile(path, spoilt, 0o600); err != nil {
			t.Fatal(err)
		}
		store, err := boltstore.Open(boltstore.Config{Path: path})
		if err != nil {
			wantCorrupt(t, err, path, 0)
			refused++
			continue
		}
		if page >= 2 { // one damaged meta page takes the file one write back
			wantEntries(t, store, entries(1, 500)...)
		}
		closeStore(t, store)
	}
	if refused < 10 {
		t.Fatalf("only %d damaged pages of %d were refused", refused, len(content)/size)
	}
}

func TestFileThatIsNoDatabaseIsCorrupt(t *testing.T) {
	path := filePath(t)
	if err := os.WriteFile(path, bytes.Repeat([]byte("not bolt"), 8192), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := boltstore.Open(boltstore.Config{Path: path})
	wantCorrupt(t, err, path, 0)
}
