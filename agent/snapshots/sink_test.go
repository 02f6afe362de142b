package snapshots_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/agent/snapshots"
)

func create(tb testing.TB, s raft.SnapshotStore) raft.SnapshotSink {
	tb.Helper()
	_, transport := raft.NewInmemTransport("a")
	sink, err := s.Create(1, 30, 1, conf, 1, transport)
	if err != nil {
		tb.Fatal(err)
	}
	return sink
}

func TestASnapshotIsSyncedWhileItIsWritten(t *testing.T) {
	p := newPeer(t, 1, 20)
	sink := create(t, p.open())
	if err := snapshots.BreakSyncs(sink); err != nil {
		t.Fatal(err)
	}
	part := make([]byte, snapshots.SyncEvery/2)
	if _, err := sink.Write(part); err != nil {
		t.Fatalf("half of what may wait: %v", err)
	}
	if _, err := sink.Write(part); !errors.Is(err, fs.ErrClosed) {
		t.Fatalf("all that may wait: %v, want the error of the sync", err)
	}
	if err := sink.Cancel(); !errors.Is(err, fs.ErrClosed) {
		t.Fatalf("cancel: %v", err)
	}
}

// TestASnapshotIsEndedTwice ends snapshots as they are ended: the state machine closes or cancels one, then raft does.
func TestASnapshotIsEndedTwice(t *testing.T) {
	p := newPeer(t, 1, 20)
	s := p.open()
	kept := create(t, s)
	for i, end := range []func() error{kept.Close, kept.Close, kept.Cancel} {
		if err := end(); err != nil {
			t.Errorf("end %d of one that is kept: %v", i+1, err)
		}
	}
	given := create(t, s)
	for i, end := range []func() error{given.Cancel, given.Cancel, given.Close} {
		if err := end(); err != nil {
			t.Errorf("end %d of one that is given up: %v", i+1, err)
		}
	}
	if all, err := s.List(); err != nil || len(all) == 0 || all[0].ID != kept.ID() {
		t.Errorf("there are %v, %v", all, err)
	}
	if left, err := filepath.Glob(filepath.Join(p.dir, "snapshots", "*.tmp")); err != nil || len(left) > 0 {
		t.Errorf("left are %v, %v", left, err)
	}
}

// BenchmarkLogBeside tells what the syncs of a log wait while a snapshot of 80 MiB is written to the same disk.
func BenchmarkLogBeside(b *testing.B) {
	dir := b.TempDir()
	whole, err := raft.NewFileSnapshotStoreWithLogger(filepath.Join(dir, "whole"), 1, hclog.NewNullLogger())
	if err != nil {
		b.Fatal(err)
	}
	grown, err := snapshots.Open(snapshots.Config{
		Dir: filepath.Join(dir, "grown"), Logs: raft.NewInmemStore(), Logger: hclog.NewNullLogger(),
	})
	if err != nil {
		b.Fatal(err)
	}
	for _, s := range []struct {
		name  string
		store raft.SnapshotStore
	}{{"synced at its end", whole}, {"synced as it grows", grown}} {
		b.Run(s.name, func(b *testing.B) {
			var waits []time.Duration
			for b.Loop() {
				waits = append(waits, syncBeside(b, dir, func() { write(b, s.store) })...)
			}
			slices.Sort(waits)
			b.ReportMetric(float64(waits[len(waits)*99/100].Microseconds())/1000, "p99-ms")
			b.ReportMetric(float64(waits[len(waits)-1].Microseconds())/1000, "max-ms")
		})
	}
}

func write(b *testing.B, store raft.SnapshotStore) {
	sink := create(b, store)
	part := make([]byte, 64<<10)
	for range 80 << 20 / len(part) {
		if _, err := sink.Write(part); err != nil {
			b.Fatal(err)
		}
	}
	if err := sink.Close(); err != nil {
		b.Fatal(err)
	}
}

// syncBeside appends to a file and syncs it, again and again, while do runs, and tells how long each took.
func syncBeside(b *testing.B, dir string, do func()) (took []time.Duration) {
	f, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	done := make(chan struct{})
	go func() { defer close(done); do() }()
	entry := make([]byte, 16<<10)
	for {
		select {
		case <-done:
			return took
		default:
		}
		began := time.Now()
		if _, err := f.Write(entry); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(began))
	}
}
