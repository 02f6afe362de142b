// Package snapshots keeps raft's snapshots in files, finds what is damaged in them, and never serves it.
//
// Store is raft's file store with additions. Beside each snapshot's meta.json, which raft keeps without a checksum, it
// writes the file meta.sum with its SHA-256; a snapshot without one, as raft alone writes it or a crash leaves it, is judged
// by its name, which holds term and index too. What the state file holds raft has under a CRC of its own.
// The state is synced while it is written, so that the log, which is on the same disk, has little to wait for.
//
// # Whose snapshots there are
//
// Raft makes those of this peer's own state and those that the leader sent alike. The state machine tells which are its own (Own of
// the sink): any other that holds less than this peer has is refused, as it lay on its way for too long.
//
// # When the newest snapshot is damaged
//
// Raft then starts from the one before. That is only right where the log holds everything between the two, so that nothing
// is forgotten that this peer said it had: a snapshot that the leader sent, and one that an operator restored, have no
// entries behind them. Where an entry lacks, Store refuses the older one and raft does not start: Damage says what is
// damaged and what to do. Where none does, Settle takes the damaged ones away.
package snapshots

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

const (
	folder    = "snapshots" // raft's name
	tmp       = ".tmp"
	fileMeta  = "meta.json"
	fileState = "state.bin"
	fileSum   = "meta.sum"
	kept      = 2
)

// ErrDamaged is what every DamageError matches.
var ErrDamaged = errors.New("a snapshot is damaged")

// DamageError says which file does not hold what was written to it.
type DamageError struct {
	Dir    string // data directory
	File   string
	Reason string
}

// Error names the file and what the operator has to do.
func (e *DamageError) Error() string {
	return fmt.Sprintf("snapshot %s is corrupt: %s; stop this peer, move its data directory %s away and start it again "+
		"with -join: it enters the group as a new peer in the place of this one", e.File, e.Reason, e.Dir)
}

// Unwrap makes errors.Is(err, ErrDamaged) true.
func (e *DamageError) Unwrap() error { return ErrDamaged }

// Config says where snapshots are.
type Config struct {
	Dir    string        // data directory
	Logs   raft.LogStore // what is after the snapshots
	Log    *slog.Logger
	Logger hclog.Logger // raft's own words

	Applied func() uint64 // the last entry that raft has applied; nil takes up snapshots however old
	Latched func() error  // why the log store takes no more writes, nil while it does; may be nil
}

// Store is a raft.SnapshotStore.
type Store struct {
	*raft.FileSnapshotStore
	cfg Config

	mu      sync.Mutex
	settled bool     // raft has started
	tried   []damage // until then: those that were damaged or could not be restored, and the one that is tried now
	why     *DamageError

	bytes, late atomic.Int64
}

// Bytes is how large the newest snapshot is, 0 when there is none.
func (s *Store) Bytes() int64 { return s.bytes.Load() }

// Late is how many snapshots came too late.
func (s *Store) Late() int64 { return s.late.Load() }

// damage is a snapshot that raft did not start from.
type damage struct {
	name        string
	term, index uint64
	err         *DamageError
}

// Open opens or makes the folder for snapshots in a data directory.
func Open(cfg Config) (*Store, error) {
	inner, err := raft.NewFileSnapshotStoreWithLogger(cfg.Dir, kept, cfg.Logger)
	if err != nil {
		return nil, fmt.Errorf("snapshots: %w", err)
	}
	return &Store{FileSnapshotStore: inner, cfg: cfg}, nil
}

func (s *Store) path(name, file string) string { return filepath.Join(s.cfg.Dir, folder, name, file) }

// List is raft.SnapshotStore's: those whose meta.json is as it was written, newest first. Where all are damaged, or where
// there is none though the log has lost its beginning, that is an error.
func (s *Store) List() ([]*raft.SnapshotMeta, error) {
	damaged, err := s.look()
	if err != nil {
		return nil, err
	}
	all, err := s.FileSnapshotStore.List()
	if err != nil {
		return nil, err
	}
	sound := slices.DeleteFunc(all, func(m *raft.SnapshotMeta) bool {
		return slices.ContainsFunc(damaged, func(d damage) bool { return d.name == m.ID })
	})
	if len(sound) > 0 {
		s.bytes.Store(sound[0].Size)
		return sound, nil
	}
	if len(damaged) > 0 {
		return nil, s.fail(damaged[0].err)
	}
	first, err := s.cfg.Logs.FirstIndex()
	if err == nil && first > 1 {
		err = s.fail(&DamageError{Dir: s.cfg.Dir, File: filepath.Join(s.cfg.Dir, folder), Reason: fmt.Sprintf(
			"there is none, and the log begins at entry %d", first)})
	}
	return nil, err
}

// look judges every meta.json.
func (s *Store) look() (damaged []damage, err error) {
	entries, err := os.ReadDir(filepath.Join(s.cfg.Dir, folder))
	if err != nil {
		return nil, fmt.Errorf("list snapshots: %w", err)
	}
	for _, e := range entries {
		term, index, err := placeOf(e.Name())
		if err != nil || !e.IsDir() {
			continue // being written, or nothing of raft's
		}
		if err := s.judge(e.Name()); err != nil {
			damaged = append(damaged, damage{name: e.Name(), term: term, index: index, err: err})
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.settled {
		for _, d := range damaged {
			if !slices.ContainsFunc(s.tried, func(t damage) bool { return t.name == d.name }) {
				s.tried = append(s.tried, d)
			}
		}
	}
	return damaged, nil
}

// fail keeps what is damaged for Damage.
func (s *Store) fail(err *DamageError) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.why = err
	return err
}

// Open is raft.SnapshotStore's. While raft starts, an older snapshot than one it could not start from is opened only where
// the log holds all between them.
func (s *Store) Open(id string) (*raft.SnapshotMeta, io.ReadCloser, error) {
	if err := s.judge(id); err != nil {
		return nil, nil, s.fail(err)
	}
	meta, from, err := s.FileSnapshotStore.Open(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.settled {
		return meta, from, err
	}
	this := damage{name: id, err: &DamageError{
		Dir: s.cfg.Dir, File: s.path(id, fileState), Reason: "its state was not restored",
	}}
	if err != nil {
		this.err.Reason = err.Error()
	}
	this.term, this.index, _ = placeOf(id)
	for _, d := range s.tried {
		if lack := s.lacks(this, d); lack != nil && err == nil {
			s.why = &DamageError{Dir: d.err.Dir, File: d.err.File, Reason: fmt.Sprintf(
				"%s; the snapshot before it, %s, cannot take its place: %s", d.err.Reason, id, lack)}
			return nil, nil, errors.Join(s.why, from.Close())
		}
	}
	s.tried, s.why = append(s.tried, this), this.err
	return meta, from, err
}

// lacks says which entry after an older snapshot is not in the log although a damaged one held it, nil when there is none.
func (s *Store) lacks(older, damaged damage) error {
	var entry raft.Log
	for index := older.index + 1; index <= damaged.index; index++ {
		if err := s.cfg.Logs.GetLog(index, &entry); err != nil {
			return fmt.Errorf("entry %d: %w", index, err)
		}
	}
	if older.index < damaged.index && entry.Term != damaged.term {
		return fmt.Errorf("entry %d is of term %d, not %d", damaged.index, entry.Term, damaged.term)
	}
	return nil
}

// Damage is what kept raft from starting, nil when no snapshot is to blame.
func (s *Store) Damage() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.why == nil {
		return nil
	}
	return s.why
}

// Settle says that raft has started. It takes away what is damaged, since the one before and the log hold all of it, and raft
// would go on to send it to others.
func (s *Store) Settle() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settled, s.why = true, nil
	if len(s.tried) == 0 {
		return nil
	}
	var errs []error
	last := s.tried[len(s.tried)-1] // the one that raft started from, if it opened any
	for _, d := range s.tried {
		if d.name == last.name {
			continue
		}
		s.cfg.Log.Warn("a damaged snapshot is taken away; the one before it and the log hold all that it did",
			"file", d.err.File, "error", d.err.Reason)
		errs = append(errs, os.RemoveAll(s.path(d.name, "")))
	}
	s.tried = nil
	return errors.Join(errs...)
}
