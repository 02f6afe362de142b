package boltstore_test

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/agent/boltstore"
)

// recorder is a raft.FSM that keeps what was applied.
type recorder struct {
	mu      sync.Mutex
	applied []string
}

func (r *recorder) Apply(log *raft.Log) any {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.applied = append(r.applied, string(log.Data))
	return nil
}

func (r *recorder) Snapshot() (raft.FSMSnapshot, error) { return nil, errors.New("not in this test") }

func (r *recorder) Restore(io.ReadCloser) error { return errors.New("not in this test") }

// onePeer starts a raft group of one on the store and waits until it leads.
func onePeer(t *testing.T, store *boltstore.Store, bootstrap bool) (*raft.Raft, *recorder) {
	t.Helper()
	cfg := raft.DefaultConfig()
	cfg.LocalID = "peer-a"
	cfg.LogOutput = io.Discard
	addr, transport := raft.NewInmemTransport("peer-a")
	cache, err := raft.NewLogCache(16, store)
	if err != nil {
		t.Fatal(err)
	}
	snapshots := raft.NewInmemSnapshotStore()
	if bootstrap {
		err := raft.BootstrapCluster(cfg, cache, store, snapshots, transport,
			raft.Configuration{Servers: []raft.Server{{ID: cfg.LocalID, Address: addr}}})
		if err != nil {
			t.Fatal(err)
		}
	}
	fsm := &recorder{}
	r, err := raft.NewRaft(cfg, fsm, cache, store, snapshots, transport)
	if err != nil {
		t.Fatal(err)
	}
	<-r.LeaderCh()
	return r, fsm
}

func shutdown(t *testing.T, r *raft.Raft) {
	t.Helper()
	if err := r.Shutdown().Error(); err != nil {
		t.Fatal(err)
	}
}

func TestRaftRunsAndRestartsOnIt(t *testing.T) {
	path := filePath(t)
	synctest.Test(t, func(t *testing.T) {
		store := open(t, boltstore.Config{Path: path})
		r, _ := onePeer(t, store, true)
		var want []string
		for i := range 50 {
			want = append(want, fmt.Sprint("command ", i))
			if err := r.Apply([]byte(want[i]), time.Second).Error(); err != nil {
				t.Fatal(err)
			}
		}
		shutdown(t, r)
		closeStore(t, store)

		store = open(t, boltstore.Config{Path: path})
		r, fsm := onePeer(t, store, false)
		if err := r.Barrier(time.Second).Error(); err != nil {
			t.Fatal(err)
		}
		shutdown(t, r)
		if diff := cmp.Diff(want, fsm.applied); diff != "" {
			t.Fatalf("after a restart (-want +got):\n%s", diff)
		}
	})
}

// TestRaftStepsDownWhileItsDiskHangs is why a stalled write returns: raft's
// main loop is free again and gives leadership up.
func TestRaftStepsDownWhileItsDiskHangs(t *testing.T) {
	path := filePath(t)
	synctest.Test(t, func(t *testing.T) {
		var hanging atomic.Bool
		release := make(chan struct{})
		store := open(t, boltstore.Config{Path: path, BeforeCommit: func() error {
			if hanging.Load() {
				<-release
			}
			return nil
		}})
		r, _ := onePeer(t, store, true)
		hanging.Store(true)
		if err := r.Apply([]byte("x"), time.Second).Error(); err == nil {
			t.Error("acknowledged what is not on disk")
		}
		<-store.Latched()
		if leads := <-r.LeaderCh(); leads {
			t.Error("leads on")
		}
		shutdown(t, r)
		close(release)
		synctest.Wait()
	})
}
