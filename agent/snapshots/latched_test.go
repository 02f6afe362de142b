package snapshots_test

import (
	"errors"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/agent/snapshots"
)

// Beside a log store that takes no more writes no snapshot is taken up: the leader must not send it again and again.
func TestNoSnapshotBesideALatchedLog(t *testing.T) {
	var latched error
	s, err := snapshots.Open(snapshots.Config{
		Dir: t.TempDir(), Logs: raft.NewInmemStore(), Logger: hclog.NewNullLogger(), Latched: func() error { return latched },
	})
	if err != nil {
		t.Fatal(err)
	}
	_, transport := raft.NewInmemTransport("a")
	create := func() error {
		sink, err := s.Create(1, 10, 1, conf, 1, transport)
		if err != nil {
			return err
		}
		return sink.Cancel()
	}
	if err := create(); err != nil {
		t.Fatal(err)
	}
	latched = errors.New("disk full")
	if err := create(); !errors.Is(err, latched) {
		t.Errorf("a snapshot beside a latched log: %v", err)
	}
}
