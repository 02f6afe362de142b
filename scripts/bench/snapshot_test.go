package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/musterhq/muster/scripts/rig"
)

// TestSnapshotsOfAPeer tells a snapshot being written from those that are, and takes the newest of these for its size.
func TestSnapshotsOfAPeer(t *testing.T) {
	p := &rig.Peer{Name: "peer-a", Data: t.TempDir()}
	put := func(name string, size int, age time.Duration) {
		t.Helper()
		path := filepath.Join(p.Data, "snapshots", name, "state.bin")
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
		at := time.Now().Add(-age)
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := newest(p); err == nil {
		t.Error("a peer without a snapshot has the size of one")
	}
	put("2-900-1", 7, time.Minute)
	put("2-1000-2", 5, time.Second)
	if size, err := newest(p); err != nil || size != 5 {
		t.Errorf("the newest has %d bytes, %v", size, err)
	}
	if writing(p) {
		t.Error("a finished snapshot is being written")
	}
	put("2-1100-3.tmp", 1, 0)
	if !writing(p) {
		t.Error("a snapshot that has begun is not being written")
	}
}

// TestBaselineOfTheDisk leaves nothing behind.
func TestBaselineOfTheDisk(t *testing.T) {
	folder := t.TempDir()
	took, err := fsyncs(folder, 3)
	if err != nil || len(took) != 3 {
		t.Errorf("%d syncs, %v", len(took), err)
	}
	if _, err := writes(folder, 100_000); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}
