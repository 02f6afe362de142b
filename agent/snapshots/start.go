package snapshots

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/hashicorp/raft"
)

// Open is raft.SnapshotStore's. While raft starts, an older snapshot than one it could not start from is opened only where
// the log holds all between them.
func (s *Store) Open(id string) (*raft.SnapshotMeta, io.ReadCloser, error) {
	if err := s.judge(id); err != nil {
		s.spoil(damaged(id, err))
		return nil, nil, s.fail(err)
	}
	meta, from, err := s.FileSnapshotStore.Open(id)
	this := damaged(id, &DamageError{
		Dir: s.cfg.Dir, File: s.path(id, fileState), Reason: "its state was not restored", cause: err,
	})
	if err != nil {
		this.err.Reason = err.Error()
		s.spoil(this)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.settled {
		return meta, from, err
	}
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
