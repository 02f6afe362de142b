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
// the sink): any other that holds less than this peer has is refused, as it lay on its way for too long, and one that came damaged is
// before it is kept.
//
// # When the newest snapshot is damaged
//
// Raft then starts from the one before. That is only right where the log holds everything between the two, so that nothing
// is forgotten that this peer said it had: a snapshot that the leader sent, and one that an operator restored, have no
// entries behind them. Where an entry lacks, Store refuses the older one and raft does not start: Damage says what is
// damaged and what to do. Where none does, Settle takes the damaged ones away.
//
// A snapshot may be found damaged later, too, when it is read to be sent to a peer that needs one. It is never sent, and Spoiled asks
// for a new one, after which the damaged one is taken away. What is in memory is not in doubt.
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

	cause error // of Reason, where there is one
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

	// Check says why what another peer sent is no snapshot that goes to an entry, so that nothing that came damaged is ever kept as
	// one; may be nil.
	Check func(index uint64, from io.Reader) error
}

// Store is a raft.SnapshotStore.
type Store struct {
	*raft.FileSnapshotStore
	cfg Config

	mu      sync.Mutex
	settled bool     // raft has started
	tried   []damage // until then: those that were damaged or could not be restored, and the one that is tried now
	why     *DamageError

	spoiled []damage // found since raft has started, and not replaced yet

	bytes, refused, damaged atomic.Int64
}

// Bytes is how large the newest snapshot is, 0 when there is none.
func (s *Store) Bytes() int64 { return s.bytes.Load() }

// Refused is how many snapshots that other peers sent came too late, or damaged.
func (s *Store) Refused() int64 { return s.refused.Load() }

// damage is a snapshot that raft did not start from, or that was found damaged later.
type damage struct {
	name        string
	term, index uint64
	err         *DamageError
}

func damaged(name string, err *DamageError) damage {
	d := damage{name: name, err: err}
	d.term, d.index, _ = placeOf(name)
	return d
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
	found, err := s.look()
	if err != nil {
		return nil, err
	}
	all, err := s.FileSnapshotStore.List()
	if err != nil {
		return nil, err
	}
	sound := slices.DeleteFunc(all, func(m *raft.SnapshotMeta) bool {
		return s.isSpoiled(m.ID) || slices.ContainsFunc(found, func(d damage) bool { return d.name == m.ID })
	})
	if len(sound) > 0 {
		s.bytes.Store(sound[0].Size)
		return sound, nil
	}
	if len(found) > 0 {
		return nil, s.fail(found[0].err)
	}
	first, err := s.cfg.Logs.FirstIndex()
	if err == nil && first > 1 {
		err = s.fail(&DamageError{Dir: s.cfg.Dir, File: filepath.Join(s.cfg.Dir, folder), Reason: fmt.Sprintf(
			"there is none, and the log begins at entry %d", first)})
	}
	return nil, err
}

// look judges every meta.json.
func (s *Store) look() (found []damage, err error) {
	entries, err := os.ReadDir(filepath.Join(s.cfg.Dir, folder))
	if err != nil {
		return nil, fmt.Errorf("list snapshots: %w", err)
	}
	for _, e := range entries {
		if _, _, err := placeOf(e.Name()); err != nil || !e.IsDir() {
			continue // being written, or nothing of raft's
		}
		if err := s.judge(e.Name()); err != nil {
			found = append(found, damaged(e.Name(), err))
		}
	}
	s.spoil(found...)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.settled {
		for _, d := range found {
			if !slices.ContainsFunc(s.tried, func(t damage) bool { return t.name == d.name }) {
				s.tried = append(s.tried, d)
			}
		}
	}
	return found, nil
}

// fail keeps what is damaged for Damage.
func (s *Store) fail(err *DamageError) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.why = err
	return err
}
