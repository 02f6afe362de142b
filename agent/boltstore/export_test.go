package boltstore

import "go.etcd.io/bbolt"

// The codec of stored entries, for its fuzz target.
var (
	EncodeEntry = encodeEntry
	DecodeEntry = decodeEntry
)

// SealOf is the seal that a file's last transaction wrote, and the one of what it holds.
func SealOf(path string) (said, found seal, err error) {
	s := &Store{cfg: Config{Path: path}.withDefaults()}
	err = s.look(path, func(tx *bbolt.Tx) error {
		said, _ = sealIn(tx)
		found, err = s.count(tx)
		found.tx = uint64(tx.ID())
		return err
	})
	return said, found, err
}
