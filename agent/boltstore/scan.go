package boltstore

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime/debug"

	"go.etcd.io/bbolt"
)

// scan reads every page of an existing file before bbolt opens it for writing, and compares what it holds with its seal.
// bbolt then rebuilds its freelist in a goroutine of its own, whose panic on a damaged page would end the process without a
// word of what to do.
func (s *Store) scan() (err error) {
	stat, err := os.Stat(s.cfg.Path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && stat.Size() == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	defer s.recoverDamage(&err)
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	return s.look(s.cfg.Path, func(tx *bbolt.Tx) error {
		if s.seal, err = s.count(tx); err != nil {
			return err
		}
		return s.verify(tx)
	})
}

// look shows a file as it is, without changing it, once its pages are known to be a tree.
func (s *Store) look(path string, view func(*bbolt.Tx) error) error {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: s.cfg.OpenTimeout, ReadOnly: true})
	if err != nil {
		return err
	}
	err = db.View(func(tx *bbolt.Tx) error {
		if err := walkPages(path, tx); err != nil {
			return &CorruptError{Path: s.cfg.Path, Reason: err.Error()}
		}
		return view(tx)
	})
	return errors.Join(err, db.Close())
}

// count makes the seal of what a transaction sees, and looks each key up as a reader does: bbolt reads the same places when it
// rebuilds its freelist. A damaged key may seem to be gigabytes long: no more than its beginning is told.
func (s *Store) count(tx *bbolt.Tx) (found seal, err error) {
	err = tx.ForEach(func(name []byte, bucket *bbolt.Bucket) error {
		add := map[string]func(key, value []byte){"logs": found.addEntry, "conf": found.addWord}[string(name)]
		damaged := func(key []byte, format string, args ...any) error {
			return &CorruptError{Path: s.cfg.Path, Reason: fmt.Sprintf("bucket %.16q: key %.16x %s", name, key, fmt.Sprintf(format, args...))}
		}
		var last []byte
		return bucket.ForEach(func(key, value []byte) error {
			switch {
			case last != nil && bytes.Compare(last, key) >= 0:
				return damaged(key, "follows key %.16x", last)
			case value == nil:
				return damaged(key, "is a bucket")
			case !bytes.Equal(bucket.Get(key), value):
				return damaged(key, "is not found where it is")
			}
			last = key
			if add != nil {
				add(key, value)
			}
			return nil
		})
	})
	return found, err
}
