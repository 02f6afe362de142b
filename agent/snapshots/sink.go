package snapshots

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/hashicorp/raft"
)

const (
	syncEvery = 1 << 20  // bytes of a snapshot that may wait to be on the disk
	heldBack  = 16 << 10 // bytes that raft may keep in its buffer until it ends a snapshot, and more
)

// Create is raft.SnapshotStore's.
//
//nolint:revive // so are its arguments
func (s *Store) Create(
	version raft.SnapshotVersion, index, term uint64, conf raft.Configuration, confIndex uint64, trans raft.Transport,
) (raft.SnapshotSink, error) {
	if s.cfg.Latched != nil {
		if err := s.cfg.Latched(); err != nil {
			return nil, fmt.Errorf("no snapshot is taken up any more: %w", err)
		}
	}
	inner, err := s.FileSnapshotStore.Create(version, index, term, conf, confIndex, trans)
	if err != nil {
		return nil, err
	}
	state, err := os.Open(s.path(inner.ID()+tmp, fileState))
	if err != nil {
		return nil, errors.Join(err, inner.Cancel())
	}
	return &sink{SnapshotSink: inner, store: s, index: index, state: state, refused: s.tooLate(index, term)}, nil
}

// sink is a snapshot that is being written. It is synced as it grows: one sync of all of it at the end would hold up those
// of the log, on the same disk, for as long as it takes.
type sink struct {
	raft.SnapshotSink
	store   *Store
	index   uint64
	state   *os.File // what raft writes to
	waiting int      // bytes written since the last sync
	bytes   int64
	tail    []byte // the last bytes written, which raft may hold back
	ended   bool
	own     bool  // it is this peer's state
	refused error // why it is not taken up, unless it is this peer's own
}

// Write is raft.SnapshotSink's.
func (s *sink) Write(b []byte) (int, error) {
	if s.refused != nil {
		return 0, s.refused
	}
	n, err := s.SnapshotSink.Write(b)
	s.bytes += int64(n)
	s.tail = append(s.tail, b[max(0, n-heldBack):n]...)
	s.tail = s.tail[max(0, len(s.tail)-heldBack):]
	if s.waiting += n; err == nil && s.waiting >= syncEvery {
		s.waiting = 0
		err = s.state.Sync()
	}
	return n, err
}

// Close is raft.SnapshotSink's: the state machine calls it, and raft once more. A snapshot whose checksum could not be written is
// a snapshot all the same.
func (s *sink) Close() error {
	if s.ended {
		return nil
	}
	if s.refused == nil {
		s.refused = s.check()
	}
	if s.refused != nil {
		return errors.Join(s.refused, s.Cancel())
	}
	s.ended = true
	if err := errors.Join(s.SnapshotSink.Close(), s.state.Close()); err != nil {
		return err
	}
	s.store.bytes.Store(s.bytes)
	if err := s.store.replace(s.ID()); err != nil {
		s.store.cfg.Log.Warn("a damaged snapshot was not taken away", "error", err)
	}
	if err := s.store.seal(s.ID()); err != nil {
		s.store.cfg.Log.Warn("a snapshot has no checksum of its own", "snapshot", s.ID(), "error", err)
	}
	return nil
}

// check reads what another peer sent, while it is no snapshot yet: once it is one, and newer than all others, a peer that starts
// does not know that it never had what is in it.
func (s *sink) check() error {
	if s.own || s.store.cfg.Check == nil {
		return nil
	}
	written := io.NewSectionReader(s.state, 0, s.bytes-int64(len(s.tail)))
	if err := s.store.cfg.Check(s.index, io.MultiReader(written, bytes.NewReader(s.tail))); err != nil {
		s.store.cfg.Log.Error("a snapshot that another peer sent came damaged, and is not taken up", "snapshot", s.ID(), "error", err)
		return fmt.Errorf("the snapshot came damaged: %w", err)
	}
	return nil
}

// Cancel is raft.SnapshotSink's. It does nothing after Close.
func (s *sink) Cancel() error {
	if s.ended {
		return nil
	}
	s.ended = true
	if s.refused != nil {
		s.store.refused.Add(1)
	}
	return errors.Join(s.SnapshotSink.Cancel(), s.state.Close())
}
