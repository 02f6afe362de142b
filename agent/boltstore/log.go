package boltstore

import (
	"encoding/binary"
	"fmt"

	"github.com/hashicorp/raft"
	"go.etcd.io/bbolt"
)

// FirstIndex is the lowest index stored, 0 when the log is empty.
func (s *Store) FirstIndex() (uint64, error) {
	return s.end("find first index", (*bbolt.Cursor).First)
}

// LastIndex is the highest index stored, 0 when the log is empty.
func (s *Store) LastIndex() (uint64, error) {
	return s.end("find last index", (*bbolt.Cursor).Last)
}

func (s *Store) end(op string, seek func(*bbolt.Cursor) (key, value []byte)) (index uint64, err error) {
	err = s.read(op, func(tx *bbolt.Tx) (err error) {
		key, _ := seek(tx.Bucket(bucketLogs).Cursor())
		index, err = s.index(key)
		return err
	})
	return index, err
}

// index reads a key of the logs bucket; that of no entry is 0.
func (s *Store) index(key []byte) (uint64, error) {
	switch len(key) {
	case 0:
		return 0, nil
	case 8:
		return binary.BigEndian.Uint64(key), nil
	}
	return 0, &CorruptError{Path: s.cfg.Path, Reason: fmt.Sprintf("entry under the key %.16x, which is no index", key)}
}

// GetLog reads the entry with the given index into log, which shares no memory
// with the store afterwards and is left alone on error.
//
// Errors: raft.ErrLogNotFound itself when there is none, ErrCorrupt, ErrClosed.
func (s *Store) GetLog(index uint64, log *raft.Log) error {
	found := false
	err := s.read("read entry", func(tx *bbolt.Tx) error {
		value := tx.Bucket(bucketLogs).Get(bigEndian(index))
		if value == nil {
			return nil
		}
		entry, err := decodeEntry(index, value)
		if err != nil {
			return &CorruptError{Path: s.cfg.Path, Index: index, Reason: err.Error()}
		}
		*log, found = entry, true
		return nil
	})
	if err == nil && !found {
		return raft.ErrLogNotFound
	}
	return err
}

// StoreLog appends one entry. See StoreLogs.
func (s *Store) StoreLog(log *raft.Log) error {
	return s.StoreLogs([]*raft.Log{log})
}

// StoreLogs appends entries in ascending order of index, each above all that are
// stored, gaps allowed. When it returns nil they are on disk; otherwise none or
// all of them are, and the store has latched. The entries are neither kept nor
// changed.
//
// Errors: ErrStalled, ErrLatched, ErrClosed, those of the disk.
func (s *Store) StoreLogs(logs []*raft.Log) error {
	if len(logs) == 0 {
		return nil
	}
	indexes := make([]uint64, len(logs))
	values := make([][]byte, len(logs))
	var encodeErr error
	size := 0
	for i, log := range logs {
		if values[i], encodeErr = encodeEntry(log); encodeErr != nil {
			break
		}
		indexes[i] = log.Index
		size += 8 + len(values[i])
	}
	err := s.write("append entries", func(tx *bbolt.Tx) error {
		if encodeErr != nil {
			return encodeErr
		}
		return s.append(tx.Bucket(bucketLogs), indexes, values)
	})
	if err != nil {
		return err
	}
	s.metrics.entries.Add(float64(len(logs)))
	s.metrics.writtenBytes.Add(float64(size))
	return nil
}

func (s *Store) append(bucket *bbolt.Bucket, indexes []uint64, values [][]byte) error {
	key, _ := bucket.Cursor().Last()
	last, err := s.index(key)
	if err != nil {
		return err
	}
	for i, index := range indexes {
		if index <= last {
			return fmt.Errorf("entry %d is not above entry %d, the last one", index, last)
		}
		if err := bucket.Put(bigEndian(index), values[i]); err != nil {
			return fmt.Errorf("put entry %d: %w", index, err)
		}
		s.seal.addEntry(bigEndian(index), values[i])
		last = index
	}
	return nil
}

// DeleteRange deletes all entries from first to last, both included, in one step.
// That there are none is no error. Errors: as StoreLogs.
func (s *Store) DeleteRange(first, last uint64) error {
	deleted := 0
	err := s.write("delete entries", func(tx *bbolt.Tx) error {
		// Sought anew each time: deleting moves what the cursor stands on.
		cursor := tx.Bucket(bucketLogs).Cursor()
		for {
			key, value := cursor.Seek(bigEndian(first))
			index, err := s.index(key)
			if err != nil || key == nil || index > last {
				return err
			}
			s.seal.takeEntry(key, value)
			if err := cursor.Delete(); err != nil {
				return fmt.Errorf("delete entry %d: %w", index, err)
			}
			deleted++
		}
	})
	if err != nil {
		return err
	}
	s.metrics.entries.Sub(float64(deleted))
	return nil
}

// IsMonotonic says false: gaps are stored, and raft must not clear the log when
// it installs a snapshot. The package comment says why.
func (s *Store) IsMonotonic() bool { return false }

func bigEndian(n uint64) []byte {
	return binary.BigEndian.AppendUint64(make([]byte, 0, 8), n)
}
