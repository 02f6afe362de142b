package boltstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// seal says what the file holds as of one transaction, which writes it with all else: the package comment says what for.
type seal struct {
	tx    uint64 // bbolt's number of that transaction
	pairs uint64 // in the buckets of raft-boltdb
	keys  uint64 // the sum of the marks of the entries' keys, and of the words
	sum   uint64 // the sum of all marks
}

var (
	bucketSeal = []byte("seal")
	keySeal    = []byte("seal")
)

const sealLen = 4 * 8

// of says whether a seal was written by the transaction that is seen.
func (s *seal) of(tx *bbolt.Tx) bool { return s.tx == uint64(tx.ID()) }

func (s *seal) addEntry(key, value []byte) {
	s.pairs++
	s.keys += markOf(bucketLogs, key, nil)
	s.sum += markOf(bucketLogs, key, value)
}

func (s *seal) takeEntry(key, value []byte) {
	s.pairs--
	s.keys -= markOf(bucketLogs, key, nil)
	s.sum -= markOf(bucketLogs, key, value)
}

func (s *seal) addWord(key, value []byte) {
	mark := markOf(bucketConf, key, value)
	s.pairs, s.keys, s.sum = s.pairs+1, s.keys+mark, s.sum+mark
}

func (s *seal) takeWord(key, value []byte) {
	mark := markOf(bucketConf, key, value)
	s.pairs, s.keys, s.sum = s.pairs-1, s.keys-mark, s.sum-mark
}

// sameKeys says whether at most entries' values differ.
func (s *seal) sameKeys(o seal) bool { return s.pairs == o.pairs && s.keys == o.keys }

func (s *seal) same(o seal) bool { return s.sameKeys(o) && s.sum == o.sum }

// markOf is a number for one pair. A CRC is linear: those of entries that differ alike, as in their terms, would cancel each other
// out in a sum. So it is mixed (splitmix64).
func markOf(bucket, key, value []byte) uint64 {
	crc := crc32.Update(0, castagnoli, bucket)
	crc = crc32.Update(crc, castagnoli, key)
	crc = crc32.Update(crc, castagnoli, value)
	x := uint64(len(value))<<32 | uint64(crc)
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// write puts the seal into the file as that of a transaction.
func (s *seal) write(tx *bbolt.Tx) error {
	s.tx = uint64(tx.ID())
	raw := binary.BigEndian.AppendUint64(make([]byte, 0, sealLen), s.tx)
	raw = binary.BigEndian.AppendUint64(raw, s.pairs)
	raw = binary.BigEndian.AppendUint64(raw, s.keys)
	raw = binary.BigEndian.AppendUint64(raw, s.sum)
	return tx.Bucket(bucketSeal).Put(keySeal, raw)
}

// sealIn is the seal in the file as a transaction sees it, whoever wrote that one; false when there is none.
func sealIn(tx *bbolt.Tx) (said seal, ok bool) {
	bucket := tx.Bucket(bucketSeal)
	if bucket == nil {
		return said, false
	}
	raw := bucket.Get(keySeal)
	if len(raw) != sealLen {
		return said, false
	}
	return seal{
		tx: binary.BigEndian.Uint64(raw), pairs: binary.BigEndian.Uint64(raw[8:]),
		keys: binary.BigEndian.Uint64(raw[16:]), sum: binary.BigEndian.Uint64(raw[24:]),
	}, true
}

// verify compares what the last transaction left with what it said. Where the seal is of an earlier one, either another program
// wrote after it, or the page that it is on did not reach the disk. In the second case the transaction before has its seal, and no
// page of it was used again: what is there now must be what was there then.
func (s *Store) verify(tx *bbolt.Tx) error {
	said, sealed := sealIn(tx)
	if !sealed || !said.of(tx) {
		var err error
		if said, sealed, err = s.sealBefore(tx); err != nil || !sealed {
			return err
		}
	}
	if s.seal.same(said) || s.seal.sameKeys(said) && s.damaged(tx) {
		return nil // who reads a damaged entry is told
	}
	return &CorruptError{Path: s.cfg.Path, Reason: fmt.Sprintf(
		"it does not hold what was last written (%d keys, of %d, or others): a part of that did not reach the disk", s.seal.pairs, said.pairs)}
}

// damaged says whether an entry is not what was stored.
func (s *Store) damaged(tx *bbolt.Tx) bool {
	logs := tx.Bucket(bucketLogs)
	return logs != nil && logs.ForEach(func(key, value []byte) error {
		index, err := s.index(key)
		if err == nil {
			_, err = decodeEntry(index, value)
		}
		return err
	}) != nil
}

// sealBefore is the seal of the transaction before the one that is seen; false when that one had none of its own, or is gone. It
// looks at a copy of the file without the later one's meta page.
func (s *Store) sealBefore(tx *bbolt.Tx) (said seal, sealed bool, err error) {
	path := s.cfg.Path + ".before.tmp"
	if err := copyWithout(s.cfg.Path, path, int64(tx.ID()%2)*int64(tx.DB().Info().PageSize)); err != nil {
		return said, false, errors.Join(err, removed(path))
	}
	err = s.look(path, func(before *bbolt.Tx) error {
		said, sealed = sealIn(before)
		sealed = sealed && said.of(before) && before.ID()+1 == tx.ID()
		return nil
	})
	if errors.Is(err, berrors.ErrInvalid) || errors.Is(err, berrors.ErrChecksum) { // there is one meta page only
		err = nil
	}
	return said, sealed, errors.Join(err, removed(path))
}

// copyWithout copies a file but for the beginning of a page.
func copyWithout(from, to string, page int64) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return errors.Join(err, in.Close())
	}
	_, err = io.Copy(out, in)
	if err == nil {
		_, err = out.WriteAt(make([]byte, 512), page)
	}
	return errors.Join(err, in.Close(), out.Close())
}
