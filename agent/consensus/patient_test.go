package consensus_test

import (
	"errors"
	"log/slog"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/agent/consensus"
)

// road is the transport of a leader to one other server, which is away or there and takes whatever comes, or cannot keep it.
type road struct {
	*raft.InmemTransport
	there, full       atomic.Bool
	term              atomic.Uint64 // of the last heartbeat
	beats, deliveries atomic.Int64
}

// AppendEntries is raft.Transport's.
func (r *road) AppendEntries(
	_ raft.ServerID, _ raft.ServerAddress, args *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse,
) error {
	if args.PrevLogEntry == 0 && len(args.Entries) == 0 {
		r.beats.Add(1)
		r.term.Store(args.Term)
	} else {
		r.deliveries.Add(1)
	}
	if !r.there.Load() {
		return errors.New("nobody is there")
	}
	*resp = raft.AppendEntriesResponse{Term: args.Term, Success: true, LastLog: args.PrevLogEntry + uint64(len(args.Entries))}
	if r.full.Load() && len(args.Entries) > 0 {
		resp.Success, resp.LastLog = false, args.PrevLogEntry
	}
	return nil
}

// leading is a raft that leads alone, and has another server that may not vote.
func leading(t *testing.T, r *road) *raft.Raft {
	t.Helper()
	_, r.InmemTransport = raft.NewInmemTransport("a")
	store, snapshots := raft.NewInmemStore(), raft.NewInmemSnapshotStore()
	logs, err := consensus.FitLogs(store, snapshots)
	if err != nil {
		t.Fatal(err)
	}
	conf := consensus.Config("a", 1, slog.New(slog.DiscardHandler))
	all := raft.Configuration{Servers: []raft.Server{{ID: "a", Address: "a"}, {ID: "b", Address: "b", Suffrage: raft.Nonvoter}}}
	if err := raft.BootstrapCluster(conf, logs, store, snapshots, r, all); err != nil {
		t.Fatal(err)
	}
	made, err := consensus.Start(
		consensus.Parts{Config: conf, FSM: &raft.MockFSM{}, Snapshots: snapshots, Transport: r}, logs, store)
	if err != nil {
		t.Fatal(err)
	}
	<-made.LeaderCh()
	return made
}

// TestWhoIsAwayIsWaitedFor has a leader wait for a server that is away, as long as it may be: it does not try in vain to give it
// entries, and gives them at once when the server is back.
func TestWhoIsAwayIsWaitedFor(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // golang/go#78156
	synctest.Test(t, func(t *testing.T) {
		var r road
		led := leading(t, &r)
		<-time.After(10 * time.Minute)
		if tried := r.deliveries.Load(); tried > 1 {
			t.Errorf("it was tried %d times in vain", tried)
		}
		r.there.Store(true)
		<-time.After(time.Second)
		if r.deliveries.Load() < 2 {
			t.Error("nothing is delivered, though a heartbeat was answered")
		}
		if err := led.Shutdown().Error(); err != nil {
			t.Error(err)
		}
	})
}

// TestWhoCannotKeepIsTriedCalmly has a leader try again a few times a second to give entries to a server that cannot keep them, as long
// as that lasts, and so at once when it can.
func TestWhoCannotKeepIsTriedCalmly(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // golang/go#78156
	synctest.Test(t, func(t *testing.T) {
		var r road
		r.there.Store(true)
		r.full.Store(true)
		led := leading(t, &r)
		<-time.After(5 * time.Minute)
		before := r.deliveries.Load()
		<-time.After(10 * time.Second)
		if tried := r.deliveries.Load() - before; tried < 10 || tried > 50 {
			t.Errorf("it was tried %d times in 10s", tried)
		}
		if err := led.Shutdown().Error(); err != nil {
			t.Error(err)
		}
	})
}

// TestWaitsEnd ends the wait for a server that is away: with its place in the group, with the term, and with raft. Heartbeats tell
// of it, which end with it.
func TestWaitsEnd(t *testing.T) {
	for name, end := range map[string]func(*raft.Raft, *road) error{
		"removed": func(led *raft.Raft, _ *road) error { return led.RemoveServer("b", 0, 0).Error() },
		"another term": func(_ *raft.Raft, r *road) error {
			_, other := raft.NewInmemTransport("b")
			other.Connect("a", r.InmemTransport)
			from := raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: []byte("b"), Addr: []byte("b")}
			return errors.Join( // it leads again before anybody has looked
				other.AppendEntries("a", "a", &raft.AppendEntriesRequest{RPCHeader: from, Term: 100}, new(raft.AppendEntriesResponse)),
				other.TimeoutNow("a", "a", &raft.TimeoutNowRequest{RPCHeader: from}, new(raft.TimeoutNowResponse)))
		},
		"stopped": func(led *raft.Raft, _ *road) error { return led.Shutdown().Error() },
	} {
		t.Run(name, func(t *testing.T) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // golang/go#78156
			synctest.Test(t, func(t *testing.T) {
				var r road
				led := leading(t, &r)
				<-time.After(time.Minute)
				old := r.term.Load()
				if err := end(led, &r); err != nil {
					t.Fatal(err)
				}
				<-time.After(time.Second)
				before := r.beats.Load()
				for range 600 {
					<-time.After(100 * time.Millisecond)
					if more := r.beats.Load() - before; more > 0 && r.term.Load() == old {
						t.Fatal("heartbeats of the old term go on")
					}
				}
				if err := led.Shutdown().Error(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}
