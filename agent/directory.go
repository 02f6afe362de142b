package agent

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"github.com/oklog/ulid/v2"

	"github.com/musterhq/muster/agent/gossip"
)

// The files of a data directory, beside raft.db, snapshots/ and the promises of package bootstrap.
const (
	fileLock  = "lock"
	fileSelf  = "peer.json"
	filePeers = "peers.json"
	fileRaft  = "raft.db"
)

// halfWritten ends the names of files and folders that are not whole yet.
const halfWritten = ".tmp"

// directory is a peer's data directory, locked by this process until close.
type directory struct {
	path string
	lock *os.File
	mu   sync.Mutex
	self self // changes once the group is known, and when the peer leaves
}

// self is what a data directory says of its peer.
type self struct {
	ID    string `json:"id"`    // ULID, born with the directory
	Name  string `json:"group"` // the -group it was made for
	Group string `json:"group_id,omitempty"`
	Left  bool   `json:"left,omitempty"` // the peer has left its group for good
}

// openDirectory makes or opens a data directory for a group. It refuses one that others may read, that another process
// holds, or that belongs to another group, and says which.
func openDirectory(path, group string) (*directory, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("make data directory: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, fmt.Errorf("data directory %s may be read by others (mode %04o); it holds everything this group knows: chmod 700 %s",
			path, mode, path)
	}
	d := &directory{path: path}
	if d.lock, err = lockFile(filepath.Join(path, fileLock)); err != nil {
		return nil, err
	}
	if err := d.open(group); err != nil {
		return nil, errors.Join(err, d.close())
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

func (d *directory) open(group string) error {
	if err := d.sweep(); err != nil {
		return err
	}
	err := d.read(fileSelf, &d.self)
	if errors.Is(err, fs.ErrNotExist) {
		d.self = self{ID: ulid.MustNew(ulid.Now(), rand.Reader).String(), Name: group}
		return d.write(fileSelf, d.self)
	}
	if err != nil {
		return err
	}
	if d.self.Name != group {
		return fmt.Errorf("data directory %s belongs to group %q, not %q: use another -data-dir or -group %s",
			d.path, d.self.Name, group, d.self.Name)
	}
	return nil
}

// sweep removes what a crash left half written: whatever is written here has a name that ends so until it is whole.
func (d *directory) sweep() error {
	for _, half := range []string{filepath.Join("snapshots", "*"+halfWritten), "*" + halfWritten} {
		left, err := filepath.Glob(filepath.Join(d.path, half))
		if err != nil {
			return err
		}
		for _, path := range left {
			if err := os.RemoveAll(path); err != nil {
				return fmt.Errorf("remove what was half written: %w", err)
			}
		}
	}
	return nil
}

// group is the id of the group as an earlier process knew it.
func (d *directory) group() string {
	if d == nil {
		return ""
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.self.Group
}

// left keeps that the peer has left its group.
func (d *directory) left() error {
	if d == nil {
		return nil
	}
	return d.change(func(s *self) { s.Left = true })
}

// joined keeps the id of the group once it is known.
func (d *directory) joined(group string) error {
	if d == nil || d.group() == group {
		return nil
	}
	return d.change(func(s *self) { s.Group = group })
}

// change writes what the directory says of its peer, on disk first.
func (d *directory) change(to func(*self)) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	next := d.self
	to(&next)
	if err := d.write(fileSelf, next); err != nil {
		return err
	}
	d.self = next
	return nil
}

// remembered are the addresses that an earlier process kept.
func (d *directory) remembered() (gossip.Remembered, error) {
	var r gossip.Remembered
	if d == nil {
		return nil, nil
	}
	if err := d.read(filePeers, &r); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return r, nil
}

func (d *directory) remember(r gossip.Remembered) error {
	if d == nil {
		return nil
	}
	return d.write(filePeers, r)
}

func (d *directory) file(name string) string { return filepath.Join(d.path, name) }

func (d *directory) read(name string, into any) error {
	raw, err := os.ReadFile(d.file(name))
	if err != nil {
		return fmt.Errorf("read data directory: %w", err)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("read %s: %w", d.file(name), err)
	}
	return nil
}

// write replaces a file as one step that survives a crash.
func (d *directory) write(name string, v any) error {
	raw, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(d.path, strings.TrimSuffix(name, ".json")+"-*"+halfWritten)
	if err != nil {
		return fmt.Errorf("write data directory: %w", err)
	}
	_, err = tmp.Write(append(raw, '\n'))
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), d.file(name))
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", d.file(name), err), os.Remove(tmp.Name()))
	}
	return syncDir(d.path)
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// close gives the directory free.
func (d *directory) close() error {
	if d == nil || d.lock == nil {
		return nil
	}
	return d.lock.Close()
}
