package boltstore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"
)

// ErrKeyNotFound is returned as it is for a key that was never set; raft
// compares its text.
var ErrKeyNotFound = errors.New("not found")

// Set stores a value under a non-empty key. When it returns nil the value is on
// disk; otherwise the store has latched. Errors: as StoreLogs.
func (s *Store) Set(key, val []byte) error {
	key, val = bytes.Clone(key), bytes.Clone(val)
	err := s.write("set key", func(tx *bbolt.Tx) error {
		conf := tx.Bucket(bucketConf)
		if old := conf.Get(key); old != nil {
			s.seal.takeWord(key, old)
		}
		s.seal.addWord(key, val)
		return conf.Put(key, val)
	})
	if err == nil {
		s.metrics.writtenBytes.Add(float64(len(key) + len(val)))
	}
	return err
}

// Get returns a copy of the value under key, or ErrKeyNotFound.
func (s *Store) Get(key []byte) ([]byte, error) {
	var val []byte
	err := s.read("read key", func(tx *bbolt.Tx) error {
		val = bytes.Clone(tx.Bucket(bucketConf).Get(key))
		return nil
	})
	if err == nil && val == nil {
		return nil, ErrKeyNotFound
	}
	return val, err
}

// SetUint64 is Set of 8 bytes big-endian.
func (s *Store) SetUint64(key []byte, val uint64) error {
	return s.Set(key, bigEndian(val))
}

// GetUint64 is the number under key, or 0 and ErrKeyNotFound. A value that is not
// 8 bytes long is an error.
func (s *Store) GetUint64(key []byte) (uint64, error) {
	val, err := s.Get(key)
	if err != nil {
		return 0, err
	}
	if len(val) != 8 {
		return 0, fmt.Errorf("key %q of log store %s holds %d bytes, not a number of 8", key, s.cfg.Path, len(val))
	}
	return binary.BigEndian.Uint64(val), nil
}
