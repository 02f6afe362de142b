package agent

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/musterhq/muster/agent/boltstore"
	"github.com/musterhq/muster/agent/bootstrap"
)

// openStopped opens the data directory of a peer that is stopped, and keeps others out until close.
func openStopped(path string) (*directory, error) {
	for _, name := range []string{fileSelf, fileRaft} {
		if _, err := os.Stat(filepath.Join(path, name)); err != nil {
			return nil, fmt.Errorf("%s is not the data directory of a peer: %w", path, err)
		}
	}
	if err := readable(path); err != nil {
		return nil, err
	}
	d := &directory{path: path}
	var err error
	if d.lock, err = lockFile(filepath.Join(path, fileLock)); err != nil {
		return nil, fmt.Errorf("stop the peer first: %w", err)
	}
	if err := d.read(fileSelf, &d.self); err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

// CompactLog writes the log of a stopped peer anew, without the room that trimmed entries left in its file, and returns the
// size of the file before and after.
func CompactLog(path string) (before, after int64, err error) {
	d, err := openStopped(path)
	if err != nil {
		return 0, 0, err
	}
	before, after, err = boltstore.Compact(d.file(fileRaft))
	return before, after, errors.Join(err, d.close())
}

// PromisedTo is the id of the peer to which a stopped peer that has not founded its group yet has promised itself, "" for none.
func PromisedTo(path string) (holder string, err error) {
	err = founding(path, func(id string) error {
		holder, err = bootstrap.PromisedTo(path, id)
		return err
	})
	return holder, err
}

// ReleasePromise frees a stopped peer from its promise to a holder whose data directory will never be used again.
func ReleasePromise(path, holder string) error {
	return founding(path, func(id string) error { return bootstrap.Release(path, id, holder) })
}

// founding does something in the data directory of a stopped peer that belongs to no group yet.
func founding(path string, do func(id string) error) error {
	d, err := openStopped(path)
	if err != nil {
		return err
	}
	if d.self.Group != "" {
		err = fmt.Errorf("peer %s is in the group %s, so that no promise binds it any more", d.self.ID, d.self.Group)
	} else {
		err = do(d.self.ID)
	}
	return errors.Join(err, d.close())
}
