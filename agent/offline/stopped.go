package offline

import (
	"errors"
	"fmt"

	"github.com/musterhq/muster/agent/boltstore"
	"github.com/musterhq/muster/agent/bootstrap"
	"github.com/musterhq/muster/agent/datadir"
)

// CompactLog writes the log of a stopped peer anew, without the room that trimmed entries left in its file, and returns the
// size of the file before and after.
func CompactLog(path string) (before, after int64, err error) {
	d, err := datadir.OpenStopped(path)
	if err != nil {
		return 0, 0, err
	}
	before, after, err = boltstore.Compact(d.File(datadir.FileRaft))
	return before, after, errors.Join(err, d.Close())
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
	d, err := datadir.OpenStopped(path)
	if err != nil {
		return err
	}
	if d.Group() != "" {
		err = fmt.Errorf("peer %s is in the group %s, so that no promise binds it any more", d.ID(), d.Group())
	} else {
		err = do(d.ID())
	}
	return errors.Join(err, d.Close())
}
