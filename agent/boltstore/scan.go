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

// look shows a file as it is, without changing it.
func (s *Store) look(path string, view func(*bbolt.Tx) error) error {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: s.cfg.OpenTimeout, ReadOnly: true})
	if err != nil {
		return err
	}
	return errors.Join(db.View(view), db.Close())
}

// count makes the seal of what a transaction sees.
func (s *Store) count(tx *bbolt.Tx) (found seal, err error) {
	err = tx.ForEach(func(name []byte, bucket *bbolt.Bucket) error {
		sealed := bytes.Equal(name, bucketLogs) || bytes.Equal(name, bucketConf)
		var last []byte
		return bucket.ForEach(func(key, value []byte) error {
			if last != nil && bytes.Compare(last, key) >= 0 {
				return &CorruptError{
					Path:   s.cfg.Path,
					Reason: fmt.Sprintf("bucket %q: key %x follows key %x", name, key, last),
				}
			}
			last = key
			if sealed {
				found.add(name, key, value)
			}
			return nil
		})
	})
	return found, err
}
