package snapshots

import (
	"errors"
	"io/fs"
	"os"
	"slices"
)

// spoil takes down what was found damaged since raft has started. It stays until a later snapshot is there. One that is gone is not
// damaged: it was let go while somebody looked.
func (s *Store) spoil(found ...damage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range found {
		if !s.settled || errors.Is(d.err.cause, fs.ErrNotExist) || slices.ContainsFunc(s.spoiled, func(o damage) bool { return o.name == d.name }) {
			continue
		}
		s.spoiled = append(s.spoiled, d)
		s.damaged.Add(1)
		s.cfg.Log.Error("a snapshot is damaged, and is not sent to peers that need one; a new one is taken in its place",
			"file", d.err.File, "error", d.err.Reason)
	}
}

// Spoiled says whether a snapshot was found damaged since raft has started and none is there yet that is as new: then a peer that
// needs one cannot be sent it, and a crash of this peer might be its end. The next one that is written takes its place.
func (s *Store) Spoiled() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.spoiled) > 0
}

// Damaged is how many were found damaged since raft has started.
func (s *Store) Damaged() int64 { return s.damaged.Load() }

// isSpoiled says whether a snapshot was found damaged.
func (s *Store) isSpoiled(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.spoiled, func(d damage) bool { return d.name == id })
}

// replace takes away what is damaged and not newer than a snapshot that is on disk now.
func (s *Store) replace(id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	_, index, _ := placeOf(id)
	s.spoiled = slices.DeleteFunc(s.spoiled, func(d damage) bool {
		if d.index > index {
			return false
		}
		errs = append(errs, os.RemoveAll(s.path(d.name, "")))
		s.cfg.Log.Info("a new snapshot has taken the place of a damaged one", "snapshot", id, "damaged", d.name)
		return true
	})
	return errors.Join(errs...)
}
