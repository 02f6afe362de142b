package snapshots

import (
	"errors"
	"fmt"
	"os"

	"github.com/hashicorp/raft"
)

// syncEvery is how many bytes of a snapshot may wait to be on the disk.
const syncEvery = 1 << 20

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
	return &sink{SnapshotSink: inner, store: s, state: state, late: s.tooLate(index, term)}, nil
}

// sink is a snapshot that is being written. It is synced as it grows: one sync of all of it at the end would hold up those
// of the log, on the same disk, for as long as it takes.
type sink struct {
	raft.SnapshotSink
	store   *Store
	state   *os.File // what raft writes to
	waiting int      // bytes written since the last sync
	bytes   int64
	ended   bool
	late    error // why it is not taken up, unless it is this peer's own
}

// Write is raft.SnapshotSink's.
func (s *sink) Write(b []byte) (int, error) {
	if s.late != nil {
		return 0, s.late
	}
	n, err := s.SnapshotSink.Write(b)
	s.bytes += int64(n)
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
	if s.late != nil {
		return errors.Join(s.late, s.Cancel())
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

// Cancel is raft.SnapshotSink's. It does nothing after Close.
func (s *sink) Cancel() error {
	if s.ended {
		return nil
	}
	s.ended = true
	if s.late != nil {
		s.store.late.Add(1)
	}
	return errors.Join(s.SnapshotSink.Cancel(), s.state.Close())
}
