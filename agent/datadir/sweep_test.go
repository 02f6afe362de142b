package datadir_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/musterhq/muster/agent/datadir"
	"github.com/musterhq/muster/fsm"
)

// TestNameOfTheDirectoryIsNoPattern opens directories whose names mean something where names are matched.
func TestNameOfTheDirectoryIsNoPattern(t *testing.T) {
	for _, name := range []string{"a[b", "a[b]", "*", "?", `a\`} {
		path := filepath.Join(t.TempDir(), name)
		half, later := filepath.Join(path, "peer-123.tmp"), filepath.Join(path, "snapshots", "1-2-3")
		err := errors.Join(
			os.MkdirAll(later, 0o700), os.WriteFile(half, nil, 0o600),
			os.WriteFile(filepath.Join(later, "state.bin"), []byte{0, 1, 0xa0}, 0o600), // without a format, which all others have
			os.Chmod(path, 0o700),
		)
		if err != nil {
			t.Fatal(err)
		}
		mustOpen(t, path)
		if err := datadir.Readable(path); !errors.Is(err, fsm.ErrNewer) {
			t.Errorf("in %q, a snapshot of a later release: %v", name, err)
		}
		if _, err := os.Stat(half); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("in %q, what was half written is still there: %v", name, err)
		}
	}
}

// TestWhatCannotBeTakenAwayIsTold has what was half written belong to somebody else.
func TestWhatCannotBeTakenAwayIsTold(t *testing.T) {
	const nobody = 65534
	path := filepath.Join(t.TempDir(), "data")
	half := filepath.Join(path, "restore-1.tmp")
	err := errors.Join(
		os.MkdirAll(half, 0o700), os.WriteFile(filepath.Join(half, "state.bin"), nil, 0o600), os.Chmod(half, 0o500),
		os.Chmod(filepath.Dir(filepath.Dir(path)), 0o711), // of the test
	)
	if err != nil {
		t.Fatal(err)
	}
	if os.Getuid() == 0 {
		if err := os.Chown(path, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	ended := make(chan error)
	go func() {
		runtime.LockOSThread() // which ends with the goroutine
		if os.Getuid() == 0 {
			if err := syscall.Setfsuid(nobody); err != nil {
				ended <- err
				return
			}
		}
		d, err := datadir.Open(path, "muster")
		ended <- errors.Join(err, d.Close())
	}()
	if err := <-ended; !errors.Is(err, os.ErrPermission) || !strings.Contains(err.Error(), half) {
		t.Errorf("the directory was opened with what cannot be taken away: %v", err)
	}
}
