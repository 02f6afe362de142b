package snapshots

import (
	"errors"
	"fmt"

	"github.com/hashicorp/raft"
)

// ErrLate is matched by the error for a snapshot that the leader sent and that came too late: this peer holds all of it, and more.
var ErrLate = errors.New("it came too late")

// tooLate says why a snapshot that another peer sent must not take the place of the state, nil when it may.
//
// Raft takes up whatever the leader of the current term once sent. Of a snapshot that lay on its way while the peer went on, the
// state would go back, and so would the peer set, which an entry in the log is never read for a second time; where the entries
// after it are gone from the log, raft would end in a panic. What is applied is one bound. The other is the log: where it holds
// the last entry of the snapshot, and more behind it, the leader finds the place to go on from and has no need to send one.
func (s *Store) tooLate(index, term uint64) error {
	if s.cfg.Applied == nil {
		return nil
	}
	applied := s.cfg.Applied()
	if index < applied {
		return fmt.Errorf("a snapshot of entry %d is refused: %w, entry %d is applied", index, ErrLate, applied)
	}
	if last := s.beyond(index, term); last > 0 {
		return fmt.Errorf("a snapshot of entry %d is refused: %w, the log goes on to entry %d", index, ErrLate, last)
	}
	return nil
}

// beyond is the last entry of a log that holds a place and more behind it, else 0. What is wrong with the log, raft meets itself.
func (s *Store) beyond(index, term uint64) uint64 {
	var at raft.Log
	last, err := s.cfg.Logs.LastIndex()
	if err != nil || last <= index || s.cfg.Logs.GetLog(index, &at) != nil || at.Term != term {
		return 0
	}
	return last
}

// Own says that this peer writes its own state, at an entry that it may have left behind meanwhile.
func (s *sink) Own() { s.refused, s.own = nil, true }
