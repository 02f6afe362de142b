package boltstore_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"go.uber.org/goleak"

	"github.com/musterhq/muster/agent/boltstore"
)

const (
	childRole = "MUSTER_BOLTSTORE_TEST_CHILD"
	childFile = "MUSTER_BOLTSTORE_TEST_FILE"
)

// TestMain plays a second process when a test has started the binary as one.
func TestMain(m *testing.M) {
	children := map[string]func(path string) error{
		"append":  appendForEver,
		"limit":   appendToFileLimit,
		"hold":    holdLock,
		"compact": compactToFileLimit,
	}
	if role := os.Getenv(childRole); role != "" {
		if err := children[role](os.Getenv(childFile)); err != nil {
			fmt.Fprintln(os.Stderr, role+":", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// child prepares this binary to run one of TestMain's roles on the file.
func child(t *testing.T, role, path string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childRole+"="+role, childFile+"="+path)
	cmd.Stderr = os.Stderr
	return cmd
}

func filePath(t testing.TB) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "raft.db")
}

// open opens the store of cfg and closes it when the test ends.
func open(t testing.TB, cfg boltstore.Config) *boltstore.Store {
	t.Helper()
	store, err := boltstore.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

func closeStore(t testing.TB, store *boltstore.Store) {
	t.Helper()
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
}

// entry is told from all others by its index alone.
func entry(index uint64) *raft.Log {
	return &raft.Log{
		Index:      index,
		Term:       1 + index/10,
		Type:       raft.LogCommand,
		Data:       bytes.Repeat([]byte{byte(index)}, 1+int(index%40)),
		AppendedAt: time.Date(2026, 3, 1, 12, 0, 0, int(index), time.UTC),
	}
}

func entries(first, last uint64) []*raft.Log {
	var logs []*raft.Log
	for index := first; index <= last; index++ {
		logs = append(logs, entry(index))
	}
	return logs
}

func storeLogs(t testing.TB, store *boltstore.Store, logs ...*raft.Log) {
	t.Helper()
	if err := store.StoreLogs(logs); err != nil {
		t.Fatal(err)
	}
}
