package snapshots_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	"go.uber.org/goleak"

	"github.com/musterhq/muster/agent/snapshots"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// peer is a data directory with snapshots at entries 10 and 20 and a log.
type peer struct {
	t    *testing.T
	dir  string
	logs *raft.InmemStore
	said bytes.Buffer
}

func newPeer(t *testing.T, first, last uint64) *peer {
	t.Helper()
	p := &peer{t: t, dir: t.TempDir(), logs: logOf(t, first, last)}
	for _, index := range []uint64{10, 20} {
		p.take(index)
	}
	return p
}

func logOf(t *testing.T, first, last uint64) *raft.InmemStore {
	t.Helper()
	logs := raft.NewInmemStore()
	for i := first; i <= last; i++ {
		if err := logs.StoreLog(&raft.Log{Index: i, Term: 1, Type: raft.LogNoop}); err != nil {
			t.Fatal(err)
		}
	}
	return logs
}

func (p *peer) open() *snapshots.Store {
	p.t.Helper()
	s, err := snapshots.Open(snapshots.Config{
		Dir: p.dir, Logs: p.logs, Log: slog.New(slog.NewTextHandler(&p.said, nil)), Logger: hclog.NewNullLogger(),
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return s
}

var conf = raft.Configuration{Servers: []raft.Server{{ID: "a", Address: "a"}}}

func (p *peer) take(index uint64) {
	p.t.Helper()
	p.takeOf(index, fmt.Sprintf("the state at %d", index))
}

func (p *peer) takeOf(index uint64, state string) {
	p.t.Helper()
	_, transport := raft.NewInmemTransport("a")
	sink, err := p.open().Create(1, index, 1, conf, 1, transport)
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := io.WriteString(sink, state); err != nil {
		p.t.Fatal(err)
	}
	if err := sink.Close(); err != nil {
		p.t.Fatal(err)
	}
}

// file is one of a snapshot's.
func (p *peer) file(index uint64, name string) string {
	p.t.Helper()
	found, err := filepath.Glob(filepath.Join(p.dir, "snapshots", fmt.Sprintf("1-%d-*", index), name))
	if err != nil || len(found) != 1 {
		p.t.Fatalf("%s of %d: %v, %v", name, index, found, err)
	}
	return found[0]
}

func (p *peer) flip(path string, at int) {
	p.t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		p.t.Fatal(err)
	}
	raw[at] ^= 1
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// fsm keeps what was restored and refuses one text.
type fsm struct{ restored, refuses string }

func (*fsm) Apply(*raft.Log) any                 { return nil }
func (*fsm) Snapshot() (raft.FSMSnapshot, error) { return nil, errors.New("none") }
func (f *fsm) Restore(from io.ReadCloser) error {
	raw, err := io.ReadAll(from)
	if f.restored = string(raw); f.restored == f.refuses {
		return errors.New("refused")
	}
	return errors.Join(err, from.Close())
}

// start lets raft start from what is there, and end. It returns what it restored.
func (p *peer) start(refuses string) (string, error) {
	p.t.Helper()
	store, state := p.open(), &fsm{refuses: refuses}
	cfg := raft.DefaultConfig()
	cfg.LocalID, cfg.Logger = "a", hclog.NewNullLogger()
	_, transport := raft.NewInmemTransport("a")
	r, err := raft.NewRaft(cfg, state, p.logs, p.logs, store, transport)
	if err != nil {
		return "", errors.Join(err, store.Damage())
	}
	if err := errors.Join(store.Settle(), r.Shutdown().Error()); err != nil {
		p.t.Fatal(err)
	}
	return state.restored, nil
}

// refused checks that raft did not start, since a file is damaged, and that the error says what to do.
func (p *peer) refused(err error, file string) {
	p.t.Helper()
	if !errors.Is(err, snapshots.ErrDamaged) {
		p.t.Fatalf("raft started: %v", err)
	}
	for _, part := range []string{file, "move its data directory " + p.dir + " away"} {
		if !strings.Contains(err.Error(), part) {
			p.t.Errorf("%q does not say %q", err, part)
		}
	}
}

// TestDamageIsMet damages each byte of the newest snapshot's files: raft starts from the one before, since the log holds all
// after it, and the damaged one is taken away; where the log lacks an entry, and where there is no other, it does not start.
func TestDamageIsMet(t *testing.T) {
	whole := newPeer(t, 1, 25)
	for _, name := range []string{"meta.json", "meta.sum", "state.bin"} {
		raw, err := os.ReadFile(whole.file(20, name))
		if err != nil {
			t.Fatal(err)
		}
		step := max(1, len(raw)/20)
		for at := 0; at < len(raw)-1; at += step {
			p := newPeer(t, 5, 25)
			damaged := p.file(20, name)
			p.flip(damaged, at)
			if got, err := p.start(""); err != nil || got != "the state at 10" {
				t.Fatalf("byte %d of %s: restored %q, %v", at, name, got, err)
			}
			if _, err := os.Stat(damaged); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("byte %d of %s: the damaged one is still there: %v", at, name, err)
			}
			if got, err := p.start(""); err != nil || got != "the state at 10" {
				t.Errorf("byte %d of %s: then restored %q, %v", at, name, got, err)
			}
		}
		for what, p := range map[string]*peer{"begins too late": newPeer(t, 12, 25), "ends too early": newPeer(t, 5, 19)} {
			p.flip(p.file(20, name), 3)
			_, err := p.start("")
			p.refused(err, filepath.Dir(p.file(20, name)))
			if !strings.Contains(err.Error(), "cannot take its place: entry") {
				t.Errorf("a log that %s: %v", what, err)
			}
		}
		p := newPeer(t, 5, 25)
		p.flip(p.file(20, name), 3)
		p.flip(p.file(10, name), 3)
		_, err = p.start("")
		p.refused(err, "1-")
	}
}

// TestSnapshotThatIsNotRestored is one whose bytes are right and which the state does not take.
func TestSnapshotThatIsNotRestored(t *testing.T) {
	p := newPeer(t, 5, 25)
	if got, err := p.start("the state at 20"); err != nil || got != "the state at 10" {
		t.Errorf("restored %q, %v", got, err)
	}
	p = newPeer(t, 21, 25)
	_, err := p.start("the state at 20")
	p.refused(err, "1-20-")
}

// TestRestoredStateIsNotForgotten has a damaged snapshot whose last entry in the log is another one, as after an operator's
// restore: the one before must not take its place.
func TestRestoredStateIsNotForgotten(t *testing.T) {
	p := newPeer(t, 5, 19)
	if err := p.logs.StoreLog(&raft.Log{Index: 20, Term: 2, Type: raft.LogNoop}); err != nil {
		t.Fatal(err)
	}
	p.flip(p.file(20, "state.bin"), 3)
	_, err := p.start("")
	p.refused(err, "1-20-")
}

// TestLostSnapshots is a log without its beginning.
func TestLostSnapshots(t *testing.T) {
	p := newPeer(t, 5, 25)
	for _, index := range []uint64{10, 20} {
		if err := os.RemoveAll(filepath.Dir(p.file(index, "meta.json"))); err != nil {
			t.Fatal(err)
		}
	}
	_, err := p.start("")
	p.refused(err, filepath.Join(p.dir, "snapshots"))
}

// TestSoundSnapshots are those of this store, those that raft wrote alone, and those beside what is not raft's.
func TestSoundSnapshots(t *testing.T) {
	p := newPeer(t, 5, 25)
	if err := os.Mkdir(filepath.Join(p.dir, "snapshots", "lost+found"), 0o700); err != nil {
		t.Fatal(err)
	}
	if got, err := p.start(""); err != nil || got != "the state at 20" {
		t.Errorf("restored %q, %v", got, err)
	}
	for _, index := range []uint64{10, 20} {
		if err := os.Remove(p.file(index, "meta.sum")); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := p.start(""); err != nil || got != "the state at 20" {
		t.Errorf("restored %q, %v", got, err)
	}
	p.take(30)
	if all, err := p.open().List(); err != nil || len(all) != 2 || all[0].Index != 30 {
		t.Errorf("there are %v, %v", all, err)
	}
	if p.said.Len() > 0 {
		t.Errorf("it was said: %s", &p.said)
	}
}

// TestDamagedSnapshotIsNotSent opens a snapshot that was damaged after the start.
func TestDamagedSnapshotIsNotSent(t *testing.T) {
	p := newPeer(t, 5, 25)
	s := p.open()
	if err := s.Settle(); err != nil {
		t.Fatal(err)
	}
	all, err := s.List()
	if err != nil {
		t.Fatal(err)
	}
	p.flip(p.file(20, "meta.json"), 9)
	if _, _, err := s.Open(all[0].ID); !errors.Is(err, snapshots.ErrDamaged) {
		t.Errorf("it was opened: %v", err)
	}
}
