package boltstore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/raft"
	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

var (
	// ErrLocked is matched by Open's error when another process, or another
	// Store of this one, has the file open.
	ErrLocked = errors.New("another process holds its lock")

	// ErrClosed is matched by what is asked of a Store after Close.
	ErrClosed = errors.New("log store is closed")

	bucketLogs = []byte("logs")
	bucketConf = []byte("conf")
)

var (
	_ raft.LogStore          = (*Store)(nil)
	_ raft.StableStore       = (*Store)(nil)
	_ raft.MonotonicLogStore = (*Store)(nil)
)

// Store is an open log store. Its methods may be called concurrently; writes
// take turns.
type Store struct {
	cfg     Config
	db      *bbolt.DB
	metrics *metrics

	latch *latch
	seal  seal // of what is in the file, for who holds slot

	// slot is held by the one write under way, also when its caller has stopped
	// waiting for it, and by Close.
	slot chan struct{}
	// stalled is closed when a write may keep the slot for ever.
	stalled   chan struct{}
	stallOnce sync.Once
	// damage is set once bbolt has panicked.
	damage atomic.Pointer[CorruptError]

	closed    chan struct{}
	closeOnce sync.Once
}

// Open opens or creates the file at cfg.Path and locks it until Close. It starts
// no goroutine that outlives it.
//
// Errors: ErrLocked when the lock was not had within cfg.OpenTimeout, ErrCorrupt
// when the file's structure is damaged, those of the file system.
func Open(cfg Config) (*Store, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	s := &Store{
		cfg:     cfg,
		latch:   newLatch(),
		slot:    make(chan struct{}, 1),
		stalled: make(chan struct{}),
		closed:  make(chan struct{}),
	}
	s.metrics = newMetrics(s.latch)
	if err := s.openFile(); err != nil {
		return nil, err
	}
	if err := s.prepare(); err != nil {
		_ = s.Close() // what came first says it
		return nil, err
	}
	return s, nil
}

func (s *Store) openFile() error {
	err := s.create()
	if err == nil {
		err = s.scan()
	}
	if err == nil {
		err = s.openBolt()
	}
	switch {
	case err == nil, errors.Is(err, ErrCorrupt):
		return err
	case errors.Is(err, berrors.ErrTimeout):
		return fmt.Errorf("open log store %s: %w (waited %s); is another muster agent running in this data directory?",
			s.cfg.Path, ErrLocked, s.cfg.OpenTimeout)
	case errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrChecksum):
		return &CorruptError{Path: s.cfg.Path, Reason: err.Error()}
	default:
		return fmt.Errorf("open log store %s: %w", s.cfg.Path, err)
	}
}

// create makes a file that is not there under another name first: what has the store's name is whole, or damaged.
func (s *Store) create() error {
	if _, err := os.Stat(s.cfg.Path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	tmp := s.cfg.Path + ".new.tmp"
	if err := removed(tmp); err != nil { // what a crash left
		return err
	}
	db, err := bbolt.Open(tmp, 0o600, s.options())
	if err != nil {
		return err
	}
	if err := db.Close(); err != nil {
		return err
	}
	return os.Rename(tmp, s.cfg.Path)
}

func (s *Store) openBolt() (err error) {
	defer s.recoverDamage(&err)
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	s.db, err = bbolt.Open(s.cfg.Path, 0o600, s.options())
	return err
}

func (s *Store) options() *bbolt.Options {
	return &bbolt.Options{
		Timeout:        s.cfg.OpenTimeout,
		NoFreelistSync: true,
		FreelistType:   bbolt.FreelistMapType,
	}
}

// prepare makes the file ready for entries: private, durable in its directory,
// with both buckets, counted.
func (s *Store) prepare() error {
	if err := s.metrics.register(s.cfg.Registerer); err != nil {
		return fmt.Errorf("open log store %s: %w", s.cfg.Path, err)
	}
	if err := restrict(s.cfg.Path); err != nil {
		return fmt.Errorf("open log store %s: %w", s.cfg.Path, err)
	}
	if err := syncDir(filepath.Dir(s.cfg.Path)); err != nil {
		return fmt.Errorf("open log store %s: %w", s.cfg.Path, err)
	}
	err := s.write("create buckets", func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{bucketConf, bucketLogs, bucketSeal} {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return s.read("count entries", func(tx *bbolt.Tx) error {
		s.metrics.entries.Set(float64(tx.Bucket(bucketLogs).Stats().KeyN))
		return nil
	})
}

// restrict takes from a file made by another program what others may do with it.
func restrict(path string) error {
	stat, err := os.Stat(path)
	if err != nil {
		return err
	}
	if stat.Mode().Perm()&^fs.FileMode(0o600) == 0 {
		return nil
	}
	return os.Chmod(path, 0o600)
}

// syncDir makes the name of a new file survive a power failure; bbolt syncs only
// what is in it.
func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// Latched is closed when the store has met the error after which it takes no
// more writes. Its owner must then end the process; Err says why.
func (s *Store) Latched() <-chan struct{} { return s.latch.done }

// Err is the error that latched the store, nil before.
func (s *Store) Err() error { return s.latch.err() }

// Close waits for the write under way, releases the lock and unregisters the
// metrics. It may be called again.
//
// While a stalled write still hangs, or after a panic of bbolt, the file cannot
// be closed: Close then returns at once with ErrStalled or ErrCorrupt, and the
// lock goes with the process.
func (s *Store) Close() error {
	s.closeOnce.Do(func() {
		close(s.closed)
		s.metrics.unregister()
	})
	if err := s.close(); err != nil {
		return fmt.Errorf("close log store %s: %w", s.cfg.Path, err)
	}
	return nil
}

func (s *Store) close() error {
	select {
	case s.slot <- struct{}{}:
	default:
		select {
		case s.slot <- struct{}{}:
		case <-s.stalled:
			return ErrStalled
		}
	}
	defer s.release()
	if damage := s.damage.Load(); damage != nil {
		return damage
	}
	return s.db.Close()
}
