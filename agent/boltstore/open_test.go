package boltstore_test

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"github.com/prometheus/client_golang/prometheus"
	"go.etcd.io/bbolt"

	"github.com/musterhq/muster/agent/boltstore"
)

func TestValidate(t *testing.T) {
	for name, c := range map[string]struct {
		cfg  boltstore.Config
		want string
	}{
		"path":          {boltstore.Config{}, "path"},
		"open timeout":  {boltstore.Config{Path: "x", OpenTimeout: -1}, "open timeout"},
		"write timeout": {boltstore.Config{Path: "x", WriteTimeout: -1}, "write timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := c.cfg.Validate(); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v", err)
			}
			if _, err := boltstore.Open(c.cfg); err == nil {
				t.Fatal("Open took it")
			}
		})
	}
	if err := (boltstore.Config{Path: "x"}).Validate(); err != nil {
		t.Fatal(err)
	}
}

// holdLock has the file open until its standard input ends.
func holdLock(path string) error {
	store, err := boltstore.Open(boltstore.Config{Path: path})
	if err != nil {
		return err
	}
	fmt.Println("open")
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	return store.Close()
}

func TestSecondProcessIsToldOfTheLock(t *testing.T) {
	path := filePath(t)
	cmd := child(t, "hold", path)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil || line != "open\n" {
		t.Fatalf("the child said %q, %v", line, err)
	}

	begun := time.Now()
	_, err = boltstore.Open(boltstore.Config{Path: path, OpenTimeout: 300 * time.Millisecond})
	took := time.Since(begun)
	if !errors.Is(err, boltstore.ErrLocked) {
		t.Fatalf("got %v, want ErrLocked", err)
	}
	for _, part := range []string{path, "another process holds its lock", "300ms"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %q", err, part)
		}
	}
	if took < 200*time.Millisecond || took > boltstore.DefaultOpenTimeout {
		t.Errorf("gave up after %s", took)
	}
	if err := stdin.Close(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	open(t, boltstore.Config{Path: path})
}

func TestFileIsPrivate(t *testing.T) {
	created, loose := filePath(t), filePath(t)
	closeStore(t, open(t, boltstore.Config{Path: loose}))
	if err := os.Chmod(loose, 0o664); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{created, loose} {
		open(t, boltstore.Config{Path: path})
		stat, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if stat.Mode().Perm() != 0o600 {
			t.Errorf("mode is %o, want 600", stat.Mode().Perm())
		}
	}
}

// TestFreelistIsNotWritten looks at bbolt's two meta pages.
func TestFreelistIsNotWritten(t *testing.T) {
	path := filePath(t)
	withBolt(t, path, func(_, _ *bbolt.Bucket) error { return nil })
	store := open(t, boltstore.Config{Path: path})
	storeLogs(t, store, entry(1))
	closeStore(t, store)
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const freelistField, none = 48, math.MaxUint64
	for _, meta := range []int{0, os.Getpagesize()} {
		if page := binary.NativeEndian.Uint64(content[meta+freelistField:]); page != none {
			t.Errorf("the meta page at %d names a freelist at page %d", meta, page)
		}
	}
}

func TestMissingDirectoryIsAnError(t *testing.T) {
	_, err := boltstore.Open(boltstore.Config{Path: filePath(t) + "/none/raft.db"})
	if err == nil || !strings.Contains(err.Error(), "/none/raft.db") {
		t.Fatalf("got %v", err)
	}
}

func TestClose(t *testing.T) {
	store := open(t, boltstore.Config{Path: filePath(t)})
	storeLogs(t, store, entry(1))
	closeStore(t, store)
	closeStore(t, store)

	_, firstErr := store.FirstIndex()
	_, getErr := store.Get([]byte("k"))
	for name, err := range map[string]error{
		"StoreLog":   store.StoreLog(entry(2)),
		"Set":        store.Set([]byte("k"), nil),
		"GetLog":     store.GetLog(1, new(raft.Log)),
		"FirstIndex": firstErr,
		"Get":        getErr,
	} {
		if !errors.Is(err, boltstore.ErrClosed) {
			t.Errorf("%s: got %v, want ErrClosed", name, err)
		}
	}
	if store.Err() != nil {
		t.Errorf("closing is no error of the disk: %v", store.Err())
	}
}

func TestFailedOpenLeavesNothingBehind(t *testing.T) {
	registry := prometheus.NewRegistry()
	first := open(t, boltstore.Config{Path: filePath(t), Registerer: registry})
	path := filePath(t)
	if _, err := boltstore.Open(boltstore.Config{Path: path, Registerer: registry}); err == nil {
		t.Fatal("two stores share one set of metrics")
	}
	if families, err := registry.Gather(); err != nil || len(families) == 0 {
		t.Fatalf("the failed Open took the first store's metrics away: %v", err)
	}
	closeStore(t, first)
	open(t, boltstore.Config{Path: path, Registerer: registry})
}

// TestNewFileIsWholeOrNotThere leaves what a crash leaves of a file that was being made, and has the disk refuse to make one.
func TestNewFileIsWholeOrNotThere(t *testing.T) {
	path := filePath(t)
	if err := os.WriteFile(path+".new.tmp", make([]byte, 5000), 0o600); err != nil {
		t.Fatal(err)
	}
	storeLogs(t, open(t, boltstore.Config{Path: path}), entry(1))
	if _, err := os.Stat(path + ".new.tmp"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what the crash left is still there: %v", err)
	}
	path = filePath(t)
	if err := os.MkdirAll(path+".new.tmp/x", 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := boltstore.Open(boltstore.Config{Path: path}); err == nil {
		t.Error("it was made somewhere else")
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("there is half a file: %v", err)
	}
}
