package datadir_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/agent/datadir"
	"github.com/musterhq/muster/agent/gossip"
)

func mustOpen(t *testing.T, path string) *datadir.Dir {
	t.Helper()
	d, err := datadir.Open(path, "muster")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

// refuses checks that a directory is refused with a message that holds these texts.
func refuses(t *testing.T, path, group string, says ...string) {
	t.Helper()
	d, err := datadir.Open(path, group)
	if err == nil {
		t.Fatalf("directory %s opened as one of %q", d.Path(), group)
	}
	for _, s := range says {
		if !strings.Contains(err.Error(), s) {
			t.Errorf("the error does not say %q: %v", s, err)
		}
	}
}

// TestDirectoryKeepsItsPeer closes and opens a directory: the peer's id, its group and the addresses of the others are as
// they were, and what is in it is nobody else's to read.
func TestDirectoryKeepsItsPeer(t *testing.T) {
	path := filepath.Join(t.TempDir(), "made", "anew")
	d := mustOpen(t, path)
	id := d.ID()
	if err := d.Joined("01GROUP"); err != nil {
		t.Fatal(err)
	}
	known := gossip.Remembered{"01OTHER": {Gossip: "127.0.0.1:1", Peer: "127.0.0.1:2"}}
	if err := d.Write(datadir.FilePeers, known); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	d = mustOpen(t, path)
	if d.ID() != id || len(id) != 26 || d.Group() != "01GROUP" || d.HasLeft() {
		t.Errorf("it comes back as %s of %s, was %s", d.ID(), d.Group(), id)
	}
	var got gossip.Remembered
	if err := d.Read(datadir.FilePeers, &got); err != nil || !cmp.Equal(got, known) {
		t.Errorf("remembered are %v, %v", got, err)
	}
	err := filepath.WalkDir(path, func(at string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if mode := info.Mode().Perm(); mode&0o077 != 0 {
			t.Errorf("%s has mode %04o", at, mode)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if other := mustOpen(t, filepath.Join(t.TempDir(), "other")); other.ID() == id {
		t.Error("two directories have one id")
	}
}

// TestDirectoryForOthersToReadIsRefused names the mode and what to run.
func TestDirectoryForOthersToReadIsRefused(t *testing.T) {
	path := t.TempDir()
	for _, mode := range []os.FileMode{0o755, 0o750, 0o701, 0o770} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		refuses(t, path, "muster", "chmod 700 "+path)
	}
	if left, err := os.ReadDir(path); err != nil || len(left) > 0 {
		t.Errorf("%d files were left in it, %v", len(left), err)
	}
}

// TestLockedDirectoryIsRefused names the lock, and opens once the other process is gone.
func TestLockedDirectoryIsRefused(t *testing.T) {
	path := privateDir(t)
	d := mustOpen(t, path)
	refuses(t, path, "muster", "in use by another process", filepath.Join(path, "lock"))
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	mustOpen(t, path)
}

// TestDirectoryOfAnotherGroupIsRefused says which group it belongs to, and gives the lock free.
func TestDirectoryOfAnotherGroupIsRefused(t *testing.T) {
	path := privateDir(t)
	if err := mustOpen(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	refuses(t, path, "staging", `"muster"`, `"staging"`, "-group muster")
	mustOpen(t, path)
}

// TestHalfWrittenFilesDoNoHarm leaves what a crash may leave: temporary files and half a snapshot are no obstacle and are
// taken away, also by the first start, and what is broken beyond that is named.
func TestHalfWrittenFilesDoNoHarm(t *testing.T) {
	path := privateDir(t)
	d := mustOpen(t, path)
	id := d.ID()
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	left := []string{
		"snapshots/2-10-1234.tmp/state.bin", "before-recovery-20261122T100000Z.tmp/raft.db", "peer-123.tmp", "peers-4.tmp",
		"guard-5.tmp", "restore-6.tmp", "promises.json.tmp", "raft.db.compact.tmp",
		"raft.db.new.tmp", "raft.db.before.tmp",
	}
	leave := func(path string) {
		for _, at := range left {
			at = filepath.Join(path, at)
			if err := errors.Join(os.MkdirAll(filepath.Dir(at), 0o700), os.WriteFile(at, []byte(`{"id":"01`), 0o600)); err != nil {
				t.Fatal(err)
			}
		}
	}
	gone := func(path string) {
		for _, at := range left {
			if _, err := os.Stat(filepath.Join(path, at)); !os.IsNotExist(err) {
				t.Errorf("%s is still there: %v", at, err)
			}
		}
	}
	leave(path)
	d = mustOpen(t, path)
	if d.ID() != id {
		t.Errorf("the peer's id is %s, was %s", d.ID(), id)
	}
	gone(path)
	first := privateDir(t)
	leave(first)
	mustOpen(t, first)
	gone(first)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	for _, broken := range []string{"", `{"id":"01`} {
		if err := os.WriteFile(filepath.Join(path, datadir.FileSelf), []byte(broken), 0o600); err != nil {
			t.Fatal(err)
		}
		refuses(t, path, "muster", datadir.FileSelf)
	}
}

func privateDir(t *testing.T) string {
	t.Helper()
	path := t.TempDir()
	if err := os.Chmod(path, 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}
