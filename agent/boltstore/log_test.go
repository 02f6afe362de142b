package boltstore_test

import (
	"bytes"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/agent/boltstore"
)

func wantEnds(t *testing.T, store *boltstore.Store, first, last uint64) {
	t.Helper()
	gotFirst, err := store.FirstIndex()
	if err != nil {
		t.Fatal(err)
	}
	gotLast, err := store.LastIndex()
	if err != nil {
		t.Fatal(err)
	}
	if gotFirst != first || gotLast != last {
		t.Fatalf("the log goes from %d to %d, want %d to %d", gotFirst, gotLast, first, last)
	}
}

func wantEntries(t *testing.T, store *boltstore.Store, want ...*raft.Log) {
	t.Helper()
	for _, w := range want {
		var got raft.Log
		if err := store.GetLog(w.Index, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(*w, got, cmp.Comparer(bytes.Equal)); diff != "" {
			t.Fatalf("entry %d (-want +got):\n%s", w.Index, diff)
		}
	}
}

func wantMissing(t *testing.T, store *boltstore.Store, indexes ...uint64) {
	t.Helper()
	for _, index := range indexes {
		log := raft.Log{Index: 99}
		if err := store.GetLog(index, &log); err != raft.ErrLogNotFound {
			t.Fatalf("entry %d: got %v, want raft.ErrLogNotFound itself", index, err)
		}
		if log.Index != 99 {
			t.Fatalf("entry %d is missing and yet something was read: %+v", index, log)
		}
	}
}

func TestEmptyLog(t *testing.T) {
	store := open(t, boltstore.Config{Path: filePath(t)})
	wantEnds(t, store, 0, 0)
	wantMissing(t, store, 0, 1, math.MaxUint64)
	if err := store.DeleteRange(1, 10); err != nil {
		t.Fatal(err)
	}
	if err := store.StoreLogs(nil); err != nil {
		t.Fatal(err)
	}
	if store.IsMonotonic() {
		t.Fatal("raft would clear the log on every snapshot it installs")
	}
}

func TestEntriesComeBackAsGiven(t *testing.T) {
	path := filePath(t)
	store := open(t, boltstore.Config{Path: path})
	logs := entries(5, 300)
	logs[0].Type = raft.LogConfiguration
	logs[1].Extensions = []byte("of a layer above")
	logs[2].Data, logs[2].AppendedAt = nil, time.Time{}
	logs[3].Data = make([]byte, 300_000)

	storeLogs(t, store, logs[:4]...)
	if err := store.StoreLog(logs[4]); err != nil {
		t.Fatal(err)
	}
	storeLogs(t, store, logs[5:]...)
	wantEnds(t, store, 5, 300)
	wantEntries(t, store, logs...)
	wantMissing(t, store, 4, 301)

	closeStore(t, store)
	store = open(t, boltstore.Config{Path: path})
	wantEnds(t, store, 5, 300)
	wantEntries(t, store, logs...)
}

func TestEntriesAreNeitherKeptNorChanged(t *testing.T) {
	store := open(t, boltstore.Config{Path: filePath(t)})
	given, same := entry(1), entry(1)
	storeLogs(t, store, given)
	if diff := cmp.Diff(same, given); diff != "" {
		t.Fatalf("storing changed the caller's entry (-want +got):\n%s", diff)
	}
	given.Data[0]++

	read := raft.Log{Data: make([]byte, 100)}
	reused := read.Data
	if err := store.GetLog(1, &read); err != nil {
		t.Fatal(err)
	}
	if reused[0] != 0 {
		t.Fatal("reading wrote into a slice the caller may share")
	}
	read.Data[0]++
	wantEntries(t, store, same)
}

func TestDeleteRange(t *testing.T) {
	for name, c := range map[string]struct {
		from, to    uint64
		first, last uint64
		gone, kept  []uint64
	}{
		"prefix":            {1, 120, 121, 200, []uint64{1, 119, 120}, []uint64{121, 200}},
		"suffix":            {150, 200, 1, 149, []uint64{150, 151, 200}, []uint64{1, 149}},
		"everything":        {0, math.MaxUint64, 0, 0, []uint64{1, 100, 200}, nil},
		"one":               {200, 200, 1, 199, []uint64{200}, []uint64{199}},
		"beyond the ends":   {201, 500, 1, 200, nil, []uint64{1, 200}},
		"reversed":          {100, 50, 1, 200, nil, []uint64{50, 75, 100}},
		"middle, for a gap": {50, 60, 1, 200, []uint64{50, 60}, []uint64{49, 61}},
	} {
		t.Run(name, func(t *testing.T) {
			store := open(t, boltstore.Config{Path: filePath(t)})
			storeLogs(t, store, entries(1, 200)...)
			if err := store.DeleteRange(c.from, c.to); err != nil {
				t.Fatal(err)
			}
			wantEnds(t, store, c.first, c.last)
			wantMissing(t, store, c.gone...)
			for _, index := range c.kept {
				wantEntries(t, store, entry(index))
			}
		})
	}
}

func TestTruncateThenOverwrite(t *testing.T) {
	store := open(t, boltstore.Config{Path: filePath(t)})
	storeLogs(t, store, entries(1, 20)...)
	if err := store.DeleteRange(11, 20); err != nil {
		t.Fatal(err)
	}
	other := entry(11)
	other.Term, other.Data = 50, []byte("of the new leader")
	storeLogs(t, store, other)
	wantEnds(t, store, 1, 11)
	wantEntries(t, store, entry(10), other)
	wantMissing(t, store, 12, 20)
}

func TestGapsAreStored(t *testing.T) {
	store := open(t, boltstore.Config{Path: filePath(t)})
	storeLogs(t, store, entries(1, 3)...)
	storeLogs(t, store, entries(10, 12)...)
	wantEnds(t, store, 1, 12)
	wantMissing(t, store, 4, 9)
	wantEntries(t, store, append(entries(1, 3), entries(10, 12)...)...)
}

func TestEntriesBelowTheLastAreRefused(t *testing.T) {
	for name, logs := range map[string][]*raft.Log{
		"already there":   {entry(10)},
		"below":           {entry(4)},
		"batch goes back": {entry(11), entry(13), entry(12)},
		"batch repeats":   {entry(11), entry(11)},
	} {
		t.Run(name, func(t *testing.T) {
			store := open(t, boltstore.Config{Path: filePath(t)})
			storeLogs(t, store, entries(5, 10)...)
			if err := store.StoreLogs(logs); err == nil {
				t.Fatal("stored")
			}
			wantEnds(t, store, 5, 10)
			wantEntries(t, store, entries(5, 10)...)
			if err := store.StoreLog(entry(11)); !errors.Is(err, boltstore.ErrLatched) {
				t.Fatalf("raft's picture of the log was wrong and the store goes on: %v", err)
			}
		})
	}
}

func TestIndexZeroIsRefused(t *testing.T) {
	store := open(t, boltstore.Config{Path: filePath(t)})
	if err := store.StoreLog(&raft.Log{}); err == nil {
		t.Fatal("index 0 means that there is no entry")
	}
}
