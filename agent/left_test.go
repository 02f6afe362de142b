package agent

import (
	"strings"
	"testing"

	"github.com/musterhq/muster/agent/datadir"
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

// TestLeftDirectoryStaysLeft marks a directory, and starts a peer on it: it is told to take another one.
func TestLeftDirectoryStaysLeft(t *testing.T) {
	path := scratch(t)
	d := mustOpen(t, path)
	if err := d.Left(); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	inEmptyBubble(t, func(t *testing.T, w *world) {
		p := w.add("peer-a")
		p.dir = path
		if err := p.tryStart(nil); err == nil || !strings.Contains(err.Error(), "has left its group") {
			t.Errorf("it starts with: %v", err)
		}
	})
	if d = mustOpen(t, path); !d.HasLeft() { // and the lock is free
		t.Error("it forgot that it left")
	}
}
