package boltstore_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/raft"
	"go.etcd.io/bbolt"

	"github.com/musterhq/muster/agent/boltstore"
)

const (
	sector    = 512
	page      = 4096
	metaBytes = 2 * page // where bolt's two meta pages are
	metaHead  = 80       // what a meta page holds
)

// contents are what a store served: every entry, and what raft keeps beside them, as text.
type contents map[string]string

func (c contents) put(l *raft.Log) {
	c[fmt.Sprint("entry ", l.Index)] = fmt.Sprint(l.Term, " ") + string(l.Data)
}

// life is what raft has its store do, a commit each, so that pages are freed, used again, split, merged and run over.
var life = []func(*boltstore.Store) error{
	func(s *boltstore.Store) error { return s.StoreLogs(ofTerm(1, 1, 90)) },
	func(s *boltstore.Store) error { return s.SetUint64([]byte("CurrentTerm"), 1) },
	func(s *boltstore.Store) error { return s.SetUint64([]byte("LastVoteTerm"), 1) },
	func(s *boltstore.Store) error { return s.StoreLogs(ofTerm(1, 91, 91)) },
	func(s *boltstore.Store) error { return s.StoreLogs([]*raft.Log{large(92)}) },
	func(s *boltstore.Store) error { return s.StoreLogs(ofTerm(1, 93, 150)) },
	func(s *boltstore.Store) error { return s.SetUint64([]byte("CurrentTerm"), 2) },
	func(s *boltstore.Store) error { return s.DeleteRange(85, 150) }, // what another leader never had
	func(s *boltstore.Store) error { return s.StoreLogs(ofTerm(2, 85, 150)) },
	func(s *boltstore.Store) error { return s.StoreLogs(ofTerm(2, 151, 151)) },
	func(s *boltstore.Store) error { return s.DeleteRange(1, 80) }, // after a snapshot
	func(s *boltstore.Store) error { return s.StoreLogs([]*raft.Log{large(152)}) },
	func(s *boltstore.Store) error { return s.SetUint64([]byte("CurrentTerm"), 3) },
	func(s *boltstore.Store) error { return s.DeleteRange(151, 152) },
	func(s *boltstore.Store) error { return s.StoreLogs(ofTerm(3, 151, 153)) },
	func(s *boltstore.Store) error { return s.DeleteRange(1, 150) },
	func(s *boltstore.Store) error { return s.DeleteRange(1, 153) }, // after a snapshot that the leader sent
	func(s *boltstore.Store) error { return s.StoreLogs(ofTerm(3, 200, 201)) },
}

// ofTerm are entries that are told apart by term and index.
func ofTerm(term, first, last uint64) []*raft.Log {
	logs := entries(first, last)
	for _, l := range logs {
		l.Term = term
		l.Data = append(bytes.Repeat([]byte{byte(l.Index)}, int(20+l.Index%60)), byte(term))
	}
	return logs
}

// large is an entry of more than two pages.
func large(index uint64) *raft.Log {
	l := entry(index)
	l.Data = bytes.Repeat([]byte{byte(index)}, 9000)
	return l
}

// commit is one of the life: the file before and after it, and what was in it.
type commit struct {
	before, after []byte
	was, is       contents
}

// commits lives the life.
func commits(t testing.TB) (out []commit) {
	t.Helper()
	path := filePath(t)
	store := open(t, boltstore.Config{Path: path})
	look := func() ([]byte, contents) {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		held, err := read(store)
		if err != nil {
			t.Fatal(err)
		}
		return raw, held
	}
	raw, held := look()
	for i, write := range life {
		if err := write(store); err != nil {
			t.Fatalf("write %d: %v", i, err)
		}
		c := commit{before: raw, was: held}
		c.after, c.is = look()
		raw, held = c.after, c.is
		out = append(out, c)
	}
	return out
}

// read is all that a store serves. What it cannot serve is an error.
func read(s *boltstore.Store) (contents, error) {
	held := contents{}
	first, err := s.FirstIndex()
	if err != nil {
		return held, err
	}
	last, err := s.LastIndex()
	if err != nil {
		return held, err
	}
	for index := first; index <= last && index > 0; index++ {
		var l raft.Log
		if err := s.GetLog(index, &l); errors.Is(err, raft.ErrLogNotFound) {
			continue
		} else if err != nil {
			return held, err
		}
		held.put(&l)
	}
	for _, key := range []string{"CurrentTerm", "LastVoteTerm"} {
		value, err := s.Get([]byte(key))
		if err != nil && !errors.Is(err, boltstore.ErrKeyNotFound) {
			return held, err
		}
		held[key] = string(value)
	}
	return held, nil
}

// changed are the blocks of a size, from a byte on, in which a commit changed the file.
func (c *commit) changed(from, to, size int) (blocks [][2]int) {
	for at := from; at < min(to, len(c.after)); at += size {
		end := at + size
		if len(c.before) < end || !bytes.Equal(c.before[at:end], c.after[at:end]) {
			blocks = append(blocks, [2]int{at, end})
		}
	}
	return blocks
}

// image is the file of which some blocks reached the disk.
func (c *commit) image(blocks ...[2]int) []byte {
	out := make([]byte, len(c.after)) // the file's new length is synced first, and what was never written is zero
	copy(out, c.before)
	for _, b := range blocks {
		copy(out[b[0]:b[1]], c.after[b[0]:b[1]])
	}
	return out
}

// subsets are none, all, each, all but each, and some by chance.
func subsets(blocks [][2]int, chance *rand.Rand, more int) (out [][][2]int) {
	out = append(out, nil, blocks)
	for i := range blocks {
		out = append(out, blocks[i:i+1], slices.Delete(slices.Clone(blocks), i, i+1))
	}
	for range more {
		share := chance.Float64()
		out = append(out, slices.DeleteFunc(slices.Clone(blocks), func([2]int) bool { return chance.Float64() < share }))
	}
	return out
}

// came is what a file with an image in it shows.
type came string

const (
	before came = "as before"
	after  came = "as after"
	named  came = "named" // as damaged, with the way out
)

// judge opens an image: it is as before the commit or as after it, or somebody is told, and where it is served it takes more.
func (c *commit) judge(t *testing.T, image []byte) came {
	t.Helper()
	path := filepath.Join(t.TempDir(), "raft.db")
	if err := os.WriteFile(path, image, 0o600); err != nil {
		t.Fatal(err)
	}
	store, err := boltstore.Open(boltstore.Config{Path: path})
	if err != nil {
		return namedBy(t, err, path)
	}
	defer store.Close()
	got, err := read(store)
	if err != nil {
		return namedBy(t, err, path)
	}
	shows := after
	if !maps.Equal(got, c.is) {
		if diff := cmp.Diff(c.was, got); diff != "" {
			t.Errorf("what is served is neither as before (-before +got) nor as after:\n%.2000s", diff)
		}
		shows = before
	}
	more := large(1000)
	if err := store.StoreLog(more); err != nil {
		t.Fatal(err)
	}
	got.put(more)
	if again, err := read(store); err != nil || !maps.Equal(again, got) {
		t.Errorf("what was there is not any more once more was written: %v", err)
	}
	return shows
}

func namedBy(t *testing.T, err error, path string) came {
	t.Helper()
	var corrupt *boltstore.CorruptError
	if !errors.As(err, &corrupt) {
		t.Errorf("got %v, want a CorruptError", err)
		return named
	}
	wantCorrupt(t, err, path, corrupt.Index)
	return named
}

// few is of how many images one is judged.
func few() int {
	if testing.Short() {
		return 3
	}
	return 1
}

// torn judges images of every commit of the life, in parallel, and counts what came of them.
func torn(t *testing.T, images func(c *commit, chance *rand.Rand, judge func(...[2]int))) map[came]int {
	t.Helper()
	all := commits(t)
	var mu sync.Mutex
	counts := map[came]int{}
	t.Run("commits", func(t *testing.T) {
		for i := range all {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				n := 0
				images(&all[i], rand.New(rand.NewPCG(7, uint64(i))), func(blocks ...[2]int) {
					if n++; n%few() != 0 {
						return
					}
					shows := all[i].judge(t, all[i].image(blocks...))
					if t.Failed() {
						t.Fatalf("of the blocks %v, the disk has %v", all[i].changed(0, len(all[i].after), sector), blocks)
					}
					mu.Lock()
					defer mu.Unlock()
					counts[shows]++
				})
			})
		}
	})
	t.Logf("%v", counts)
	return counts
}

// someOf are sets of what a commit changed behind the meta pages: of whole pages many, of sectors those that fell out by chance.
func (c *commit) someOf(chance *rand.Rand) [][][2]int {
	return append(
		subsets(c.changed(metaBytes, len(c.after), page), chance, 3),
		subsets(c.changed(metaBytes, len(c.after), sector), chance, 6)[2+2*len(c.changed(metaBytes, len(c.after), sector)):]...,
	)
}

// TestTornCommit has the machine die while the pages of a commit are synced, of which any reach the disk: the file is as before.
func TestTornCommit(t *testing.T) {
	counts := torn(t, func(c *commit, chance *rand.Rand, judge func(...[2]int)) {
		for _, some := range c.someOf(chance) {
			judge(some...)
		}
	})
	if counts[before] < 200/few() || len(counts) > 1 {
		t.Errorf("images are %v, want all as before, and hundreds", counts)
	}
}

// TestTornMeta has it die while the meta page is synced, which makes the commit: the file is as before or as after, also where a
// disk writes less than a sector at once.
func TestTornMeta(t *testing.T) {
	counts := torn(t, func(c *commit, _ *rand.Rand, judge func(...[2]int)) {
		data, meta := c.changed(metaBytes, len(c.after), page), c.changed(0, metaBytes, page)
		if len(meta) != 1 {
			t.Fatalf("a commit changed the meta pages %v", meta)
		}
		for at := 0; at <= metaHead; at += 16 {
			from, to := meta[0][0], meta[0][1]
			judge(append(slices.Clone(data), [2]int{from, from + at})...)
			judge(append(slices.Clone(data), [2]int{from + at, to})...)
		}
	})
	if counts[before] < 50/few() || counts[after] < 50/few() || counts[named] > 0 {
		t.Errorf("images are %v, want as before and as after", counts)
	}
}

// TestReorderedCommit is a disk that does not keep the order of syncs: the meta page is there, and of the pages any are. Bolt cannot
// tell; the seal can. Without it, one in twenty of these is served with entries missing or from another time.
func TestReorderedCommit(t *testing.T) {
	counts := torn(t, func(c *commit, chance *rand.Rand, judge func(...[2]int)) {
		meta := c.changed(0, metaBytes, page)
		for _, some := range c.someOf(chance) {
			judge(append(slices.Clone(some), meta...)...)
		}
	})
	if counts[named] < 100/few() || counts[after] < 10/few() {
		t.Errorf("images are %v, want hundreds that are named", counts)
	}
}

// TestForeignWritesAreTaken has another program write to the file: once, not at all, and after a write of this one's; the seal is of
// an earlier time then, and what is there is right. Nothing else is left in the directory.
func TestForeignWritesAreTaken(t *testing.T) {
	path := filePath(t)
	var want []*raft.Log
	for i := range uint64(4) {
		store := open(t, boltstore.Config{Path: path})
		wantEntries(t, store, want...)
		want = append(want, entry(2*i+1))
		storeLogs(t, store, entry(2*i+1))
		closeStore(t, store)
		withBolt(t, path, func(logs, _ *bbolt.Bucket) error {
			if i%2 == 0 {
				return nil
			}
			want = append(want, entry(2*i+2))
			return logs.Put(key(2*i+2), foreignValue(t, *entry(2*i + 2)))
		})
	}
	wantEntries(t, open(t, boltstore.Config{Path: path}), want...)
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 1 {
		t.Errorf("there are %v, %v", left, err)
	}
}

// TestSealOutlivesCompaction: a file that was written anew is sealed as what it holds.
func TestSealOutlivesCompaction(t *testing.T) {
	path := filePath(t)
	store := open(t, boltstore.Config{Path: path})
	storeLogs(t, store, entries(1, 50)...)
	closeStore(t, store)
	if _, _, err := boltstore.Compact(path); err != nil {
		t.Fatal(err)
	}
	said, found, err := boltstore.SealOf(path)
	if err != nil || said != found {
		t.Errorf("the file says that it holds %+v, and holds %+v, %v", said, found, err)
	}
	wantEntries(t, open(t, boltstore.Config{Path: path}), entries(1, 50)...)
}

// TestDamagedEntryKeepsNoFileShut changes a byte of one entry on the disk. It is named when it is read, and all others are served:
// a group of one whose snapshot covers it goes on.
func TestDamagedEntryKeepsNoFileShut(t *testing.T) {
	path := filePath(t)
	store := open(t, boltstore.Config{Path: path})
	storeLogs(t, store, entries(1, 9)...)
	closeStore(t, store)
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	changed := bytes.ReplaceAll(raw, entry(5).Data, bytes.Repeat([]byte{0xa5}, len(entry(5).Data)))
	if err := os.WriteFile(path, changed, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		store := open(t, boltstore.Config{Path: path})
		wantEntries(t, store, entries(1, 4)...)
		wantEntries(t, store, entries(6, 9)...)
		wantCorrupt(t, store.GetLog(5, new(raft.Log)), path, 5)
		closeStore(t, store)
	}
}
