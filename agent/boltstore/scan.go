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

// scan reads every page of an existing file before bbolt opens it for writing.
// bbolt then rebuilds its freelist in a goroutine of its own, whose panic on a
// damaged page would end the process without a word of what to do.
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
	db, err := bbolt.Open(s.cfg.Path, 0o600, &bbolt.Options{Timeout: s.cfg.OpenTimeout, ReadOnly: true})
	if err != nil {
		return err
	}
	return errors.Join(db.View(s.scanBuckets), db.Close())
}

func (s *Store) scanBuckets(tx *bbolt.Tx) error {
	return tx.ForEach(func(name []byte, bucket *bbolt.Bucket) error {
		var last []byte
		return bucket.ForEach(func(key, _ []byte) error {
			if last != nil && bytes.Compare(last, key) >= 0 {
				return &CorruptError{
					Path:   s.cfg.Path,
					Reason: fmt.Sprintf("bucket %q: key %x follows key %x", name, key, last),
				}
			}
			last = key
			return nil
		})
	})
}
