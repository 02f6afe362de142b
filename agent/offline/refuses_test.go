package offline_test

import (
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/musterhq/muster/agent/boltstore"
	"github.com/musterhq/muster/agent/datadir"
	"github.com/musterhq/muster/agent/offline"
)

func TestRecoveryRefuses(t *testing.T) {
	empty := t.TempDir()
	if _, err := offline.OpenRecovery(empty, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "is not the data directory") {
		t.Errorf("an empty directory: %v", err)
	}
	if left, err := os.ReadDir(empty); err != nil || len(left) > 0 {
		t.Errorf("it left %v, %v", left, err)
	}
	if _, _, err := offline.CompactLog(empty); err == nil || !strings.Contains(err.Error(), "is not the data directory") {
		t.Errorf("compact an empty directory: %v", err)
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	d, err := datadir.Open(dir, "muster")
	if err != nil {
		t.Fatal(err)
	}
	store, err := boltstore.Open(boltstore.Config{Path: d.File(datadir.FileRaft)})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := offline.CompactLog(dir); err == nil || !strings.Contains(err.Error(), "stop the peer first") {
		t.Errorf("compact the log of a running peer: %v", err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := offline.OpenRecovery(dir, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "holds no group yet") {
		t.Errorf("a directory without a group: %v", err)
	}
	if _, _, err := offline.CompactLog(dir); err != nil {
		t.Errorf("compact: %v", err)
	}
}
