package datadir

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"github.com/oklog/ulid/v2"
)

// The files of a data directory, beside the snapshots and the promises of package bootstrap.
const (
	FileRaft    = "raft.db"
	FileSelf    = "peer.json"
	FilePeers   = "peers.json"    // where other peers were when they were last seen
	FileKeyring = "keyring.json"  // the keys of gossip
	FileGuard   = "guard.json"    // who wrote the directory
	FileProof   = "acl-bootstrap" // the proof with which a first token is made, while there is one
	FileLock    = "lock"
)

// halfWritten ends the names of files and folders that are not whole yet.
const halfWritten = ".tmp"

// Dir is a peer's data directory, locked by this process until Close. It may be used by many goroutines.
type Dir struct {
	path string
	lock *os.File
	mu   sync.Mutex
	self self // changes once the group is known, and when the peer leaves
}

// Open makes or opens a data directory for a group. It refuses one that others may read, that another process holds, or that
// belongs to another group, and says which.
func Open(path, group string) (*Dir, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("make data directory: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	if err := private(path, info); err != nil {
		return nil, err
	}
	d := &Dir{path: path}
	if d.lock, err = lockFile(filepath.Join(path, FileLock)); err != nil {
		return nil, err
	}
	if err := d.open(group); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// OpenStopped opens the data directory of a peer that is stopped, and keeps others out until Close.
func OpenStopped(path string) (*Dir, error) {
	for _, name := range []string{FileSelf, FileRaft} {
		if _, err := os.Stat(filepath.Join(path, name)); err != nil {
			return nil, fmt.Errorf("%s is not the data directory of a peer: %w", path, err)
		}
	}
	if err := Readable(path); err != nil {
		return nil, err
	}
	d := &Dir{path: path}
	var err error
	if d.lock, err = lockFile(filepath.Join(path, FileLock)); err != nil {
		return nil, fmt.Errorf("stop the peer first: %w", err)
	}
	if err := d.Read(FileSelf, &d.self); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock data directory: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("data directory %s is in use by another process (%s is locked)",
			filepath.Dir(path), path), f.Close())
	}
	return f, nil
}

func (d *Dir) open(group string) error {
	if err := d.sweep(); err != nil {
		return err
	}
	err := d.Read(FileSelf, &d.self)
	if errors.Is(err, fs.ErrNotExist) {
		d.self = self{ID: ulid.MustNew(ulid.Now(), rand.Reader).String(), Name: group}
		return d.Write(FileSelf, d.self)
	}
	if err != nil {
		return err
	}
	return d.fits(group)
}

// sweep removes what a crash left half written: whatever is written here has a name that ends so until it is whole.
func (d *Dir) sweep() error {
	for _, in := range []string{d.path, filepath.Join(d.path, "snapshots")} {
		names, err := os.ReadDir(in)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("look for what was half written: %w", err)
		}
		for _, name := range names {
			if !strings.HasSuffix(name.Name(), halfWritten) {
				continue
			}
			if err := os.RemoveAll(filepath.Join(in, name.Name())); err != nil {
				return fmt.Errorf("remove what was half written: %w", err)
			}
		}
	}
	return nil
}

// Close gives the directory free.
func (d *Dir) Close() error {
	if d == nil || d.lock == nil {
		return nil
	}
	return d.lock.Close()
}
