package snapshots_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/agent/snapshots"
)

// put writes a snapshot through a store that is open.
func put(t *testing.T, s raft.SnapshotStore, index uint64) {
	t.Helper()
	_, transport := raft.NewInmemTransport("a")
	sink, err := s.Create(1, index, 1, conf, 1, transport)
	if err != nil {
		t.Fatal(err)
	}
	_, err = sink.Write([]byte("a state"))
	if err := errors.Join(err, sink.Close()); err != nil {
		t.Fatal(err)
	}
}

// indexes are those of the snapshots that a store lists.
func indexes(t *testing.T, s raft.SnapshotStore) (out []uint64) {
	t.Helper()
	all, err := s.List()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range all {
		out = append(out, m.Index)
	}
	return out
}

// TestSpoiledSnapshotIsReplaced damages the newest snapshot, and the one before it, while raft runs. It is found when it is read, told
// once, listed no more, and goes when a later one is there.
func TestSpoiledSnapshotIsReplaced(t *testing.T) {
	for _, index := range []uint64{10, 20} {
		for _, name := range []string{"meta.json", "meta.sum", "state.bin"} {
			p := newPeer(t, 1, 25)
			s := p.open()
			if err := s.Settle(); err != nil {
				t.Fatal(err)
			}
			all, err := s.List()
			if err != nil || s.Spoiled() {
				t.Fatalf("before there is damage: %t, %v", s.Spoiled(), err)
			}
			file := p.file(index, name)
			p.flip(file, 5)
			id := filepath.Base(filepath.Dir(file))
			for range 2 {
				if _, _, err := s.Open(id); err == nil {
					t.Fatalf("a damaged %s of %s was opened", name, id)
				}
				if left := indexes(t, s); len(left) != len(all)-1 || left[0] != 30-index {
					t.Errorf("a damaged %s of %d: listed are %v", name, index, left)
				}
			}
			if told := strings.Count(p.said.String(), "a snapshot is damaged"); !s.Spoiled() || s.Damaged() != 1 || told != 1 {
				t.Errorf("a damaged %s of %d: spoiled %t, counted %d times, told %d times", name, index, s.Spoiled(), s.Damaged(), told)
			}
			put(t, s, 30)
			if _, err := os.Stat(filepath.Dir(file)); !errors.Is(err, os.ErrNotExist) || s.Spoiled() {
				t.Errorf("a damaged %s of %d is replaced: spoiled %t, %v", name, index, s.Spoiled(), err)
			}
			if left := indexes(t, s); left[0] != 30 {
				t.Errorf("a damaged %s of %d: listed are %v", name, index, left)
			}
		}
	}
}

// TestSpoiledUntilThereIsALaterOne writes a snapshot that is older than the damaged one.
func TestSpoiledUntilThereIsALaterOne(t *testing.T) {
	p := newPeer(t, 1, 25)
	s := p.open()
	if err := s.Settle(); err != nil {
		t.Fatal(err)
	}
	p.flip(p.file(20, "meta.json"), 9)
	indexes(t, s)
	put(t, s, 15)
	if !s.Spoiled() {
		t.Error("an older one took its place")
	}
}

// TestWhatIsGoneIsNotSpoiled has a snapshot be let go while it is looked for.
func TestWhatIsGoneIsNotSpoiled(t *testing.T) {
	for _, name := range []string{"meta.json", "state.bin"} {
		p := newPeer(t, 1, 25)
		s := p.open()
		if err := s.Settle(); err != nil {
			t.Fatal(err)
		}
		file := p.file(20, name)
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.Open(filepath.Base(filepath.Dir(file))); err == nil || s.Spoiled() {
			t.Errorf("without its %s: spoiled %t, %v", name, s.Spoiled(), err)
		}
	}
}

// TestDamageAtTheStartIsNotSpoiled leaves what raft could not start from to Settle.
func TestDamageAtTheStartIsNotSpoiled(t *testing.T) {
	p := newPeer(t, 1, 25)
	p.flip(p.file(20, "state.bin"), 3)
	s := p.open()
	all, err := s.List()
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Open(all[0].ID); err == nil || s.Spoiled() {
		t.Errorf("spoiled %t, %v", s.Spoiled(), err)
	}
	if err := s.Damage(); !errors.Is(err, snapshots.ErrDamaged) {
		t.Errorf("what kept raft from starting: %v", err)
	}
}
