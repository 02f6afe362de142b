package boltstore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"

	"go.etcd.io/bbolt"
)

// compactBatch is how many bytes are copied between two syncs.
const compactBatch = 4 << 20

// Compact writes the file at a path anew without the room that trimmed entries left in it, which bbolt never gives back, and
// returns its size before and after. The new file takes the old one's name only when it is whole and on disk. It is for
// stopped peers: a file that is in use is refused with ErrLocked.
func Compact(path string) (before, after int64, err error) {
	if _, err := os.Stat(path); err != nil {
		return 0, 0, fmt.Errorf("compact log store: %w", err)
	}
	s, err := Open(Config{Path: path})
	if err != nil {
		return 0, 0, err
	}
	tmp := path + ".compact.tmp"
	err = s.copyTo(tmp)
	if err == nil {
		before, err = sizeOf(path)
	}
	if err == nil {
		after, err = sizeOf(tmp)
	}
	if err == nil { // while the old file is locked, so that nobody opens it in between
		err = os.Rename(tmp, path)
	}
	err = errors.Join(err, s.Close())
	if err != nil {
		return 0, 0, errors.Join(fmt.Errorf("compact log store %s: %w", path, err), removed(tmp))
	}
	return before, after, syncDir(filepath.Dir(path))
}

// copyTo copies what is in the file to another one.
func (s *Store) copyTo(path string) (err error) {
	defer s.recoverDamage(&err)
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	if err := removed(path); err != nil { // what a crash left
		return err
	}
	to, err := bbolt.Open(path, 0o600, s.options())
	if err != nil {
		return err
	}
	err = bbolt.Compact(to, s.db, compactBatch)
	if err == nil { // the transactions of the new file have numbers of their own
		err = to.Update(s.seal.write)
	}
	return errors.Join(err, to.Close())
}

func sizeOf(path string) (int64, error) {
	stat, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return stat.Size(), nil
}

func removed(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
