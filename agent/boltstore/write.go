package boltstore

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// ErrStalled is matched by the error of a write that took longer than
// Config.WriteTimeout. The write may still succeed.
var ErrStalled = errors.New("write is stalled")

// beats is in how many parts a write's time is counted.
const beats = 20

// write runs change in a transaction and returns once it is on disk, has failed,
// or has taken too long. Any error latches, and all that come after get
// ErrLatched.
func (s *Store) write(op string, change func(*bbolt.Tx) error) error {
	if err := s.acquire(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- s.commit(op, change) }()

	// The time is counted in beats of a ticker, which owes at most one: a process
	// that was stopped wakes up with its write under way and its time run out.
	tick := time.NewTicker(max(s.cfg.WriteTimeout/beats, 1))
	defer tick.Stop()
	for range beats {
		select {
		case err := <-ended:
			return err
		case <-tick.C:
		}
	}
	err := fmt.Errorf("%s in log store %s: %w after %s", op, s.cfg.Path, ErrStalled, s.cfg.WriteTimeout)
	s.latch.set(err)
	s.stallOnce.Do(func() { close(s.stalled) })
	return err
}

// acquire waits for the write before this one, whose own timeout bounds the wait.
func (s *Store) acquire() error {
	select {
	case s.slot <- struct{}{}:
	case <-s.latch.done:
		return s.latch.refusal()
	case <-s.closed:
		return ErrClosed
	}
	err := s.latch.refusal()
	select {
	case <-s.closed:
		err = ErrClosed
	default:
	}
	if err != nil {
		s.release()
	}
	return err
}

func (s *Store) release() { <-s.slot }

// commit is one write from begin to end. The latch is set before the slot is
// free, so nothing gets in between.
func (s *Store) commit(op string, change func(*bbolt.Tx) error) error {
	begun := time.Now()
	err := s.update(change)
	s.metrics.writeSeconds.Observe(time.Since(begun).Seconds())
	if err != nil {
		err = fmt.Errorf("%s in log store %s: %w", op, s.cfg.Path, err)
		s.latch.set(err)
	} else {
		s.measureFile()
	}
	s.release()
	return err
}

func (s *Store) update(change func(*bbolt.Tx) error) (err error) {
	defer s.recoverDamage(&err)
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	return s.db.Update(func(tx *bbolt.Tx) error {
		if err := change(tx); err != nil {
			return err
		}
		if err := s.seal.write(tx); err != nil {
			return err
		}
		return s.cfg.BeforeCommit()
	})
}

// read runs view on what is committed. Damage that it meets latches.
func (s *Store) read(op string, view func(*bbolt.Tx) error) error {
	if damage := s.damage.Load(); damage != nil {
		return damage
	}
	err := s.view(view)
	switch {
	case errors.Is(err, ErrCorrupt):
		s.latch.set(err)
		return err
	case errors.Is(err, berrors.ErrDatabaseNotOpen):
		return ErrClosed
	case err != nil:
		return fmt.Errorf("%s in log store %s: %w", op, s.cfg.Path, err)
	}
	return nil
}

func (s *Store) view(view func(*bbolt.Tx) error) (err error) {
	defer s.recoverDamage(&err)
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	return s.db.View(view)
}

// recoverDamage turns a panic into a CorruptError: bbolt asserts and indexes its
// way through damaged pages, and a page that cannot be read is a memory fault.
// bbolt may have left its locks taken, so it is not called again, not to close
// the file either.
func (s *Store) recoverDamage(err *error) {
	if r := recover(); r != nil {
		damage := &CorruptError{Path: s.cfg.Path, Reason: fmt.Sprintf("reading its pages: %v", r)}
		s.damage.Store(damage)
		*err = damage
	}
}

func (s *Store) measureFile() {
	stats := s.db.Stats()
	s.metrics.freePages.Set(float64(stats.FreePageN + stats.PendingPageN))
	if stat, err := os.Stat(s.cfg.Path); err == nil {
		s.metrics.fileBytes.Set(float64(stat.Size()))
	}
}
