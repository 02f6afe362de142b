package consensus_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/agent/consensus"
	"github.com/musterhq/muster/agent/memnet"
)

// streams are those of one host.
type streams struct {
	net.Listener
	dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

// Dial is raft.StreamLayer's.
func (s streams) Dial(to raft.ServerAddress, most time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), most)
	defer cancel()
	return s.dial(ctx, "tcp", string(to))
}

// voter is a peer that grants every vote and takes every entry, and answers entries when it may.
type voter struct {
	transport *raft.NetworkTransport
	stop      chan struct{}
	ended     sync.WaitGroup

	mu   sync.Mutex
	term uint64
	gate chan struct{} // while it is there, entries are answered when it is closed
	held int           // requests that wait for that
}

func newVoter(s streams) *voter {
	v := &voter{stop: make(chan struct{}), transport: raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		Stream: s, MaxPool: 3, Timeout: 10 * time.Second, Logger: consensus.Logger(slog.New(slog.DiscardHandler)),
	})}
	v.ended.Go(func() {
		for {
			select {
			case rpc := <-v.transport.Consumer():
				v.ended.Go(func() { rpc.Respond(v.answer(rpc.Command), nil) })
			case <-v.stop:
				return
			}
		}
	})
	return v
}

func (v *voter) answer(command any) any {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch ask := command.(type) {
	case *raft.RequestPreVoteRequest:
		return &raft.RequestPreVoteResponse{Term: ask.Term, Granted: true}
	case *raft.RequestVoteRequest:
		v.term = max(v.term, ask.Term)
		return &raft.RequestVoteResponse{Term: v.term, Granted: v.term == ask.Term}
	case *raft.AppendEntriesRequest:
		if gate := v.gate; gate != nil && ask.PrevLogEntry > 0 { // it is no heartbeat
			v.held++
			v.mu.Unlock()
			<-gate
			v.mu.Lock()
		}
		v.term = max(v.term, ask.Term)
		return &raft.AppendEntriesResponse{
			Term: v.term, LastLog: ask.PrevLogEntry + uint64(len(ask.Entries)), Success: v.term == ask.Term,
		}
	}
	return nil
}

// hold has entries wait for their answers from now on. What it returns answers them, in a later term.
func (v *voter) hold() (answer func()) {
	gate := make(chan struct{})
	v.mu.Lock()
	defer v.mu.Unlock()
	v.gate = gate
	return func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.term++
		v.gate = nil
		close(gate)
	}
}

func (v *voter) holds() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.held
}

func (v *voter) close() error {
	close(v.stop)
	v.ended.Wait()
	return v.transport.Close()
}

// slowToTell is a log that takes its time over a word.
type slowToTell struct {
	word string
	gate chan struct{}
}

// Enabled is slog.Handler's.
func (s slowToTell) Enabled(context.Context, slog.Level) bool { return true }

// WithAttrs is slog.Handler's.
func (s slowToTell) WithAttrs([]slog.Attr) slog.Handler { return s }

// WithGroup is slog.Handler's.
func (s slowToTell) WithGroup(string) slog.Handler { return s }

// Handle is slog.Handler's.
func (s slowToTell) Handle(_ context.Context, r slog.Record) error {
	if strings.Contains(r.Message, s.word) {
		<-s.gate
	}
	return nil
}

// kept keeps the pipelines that raft was given.
type kept struct {
	consensus.Wire
	mu        sync.Mutex
	pipelines []raft.AppendPipeline
}

// AppendEntriesPipeline is raft.Transport's.
func (k *kept) AppendEntriesPipeline(id raft.ServerID, to raft.ServerAddress) (raft.AppendPipeline, error) {
	p, err := k.Wire.AppendEntriesPipeline(id, to)
	if err == nil {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.pipelines = append(k.pipelines, p)
	}
	return p, err
}

func (k *kept) end(t *testing.T) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, p := range k.pipelines {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestLeaderThatIsToldOfALaterTermShutsDown has a peer answer a leader's entries in a later term, when others have been sent to it. Who
// reads the answers takes his time over the first, until as much was sent as may be. Raft's own transport lets them go on from there
// for ever: who reads has ended, who sends waits for him, and raft does not shut down. When it once does, oneAtATime can go.
func TestLeaderThatIsToldOfALaterTermShutsDown(t *testing.T) {
	const long = 2 * time.Minute
	for name, test := range map[string]struct {
		transport func(s streams) consensus.Wire
		ends      bool
	}{
		"ours": {func(s streams) consensus.Wire {
			return consensus.NewTransport(s, 1<<20, slog.New(slog.DiscardHandler))
		}, true},
		"raft's own": {func(s streams) consensus.Wire {
			return raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
				Stream: s, MaxPool: 3, Timeout: 10 * time.Second, Logger: consensus.Logger(slog.New(slog.DiscardHandler)),
			})
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // golang/go#78156
			synctest.Test(t, func(t *testing.T) {
				on := memnet.New()
				other := newVoter(streams{on.Listen("b:1"), on.DialFrom("b")})
				trans := &kept{Wire: test.transport(streams{on.Listen("a:1"), on.DialFrom("a")})}
				slow := slowToTell{word: "newer term", gate: make(chan struct{})}
				r := lead(t, trans, slog.New(slow))

				answer := other.hold()
				<-time.After(5 * time.Second) // in which all is sent that may be
				if other.holds() == 0 {
					t.Fatal("nothing was sent")
				}
				answer()
				<-time.After(5 * time.Second)
				close(slow.gate)
				<-time.After(5 * time.Second)

				began, down := time.Now(), make(chan error, 1)
				go func() { down <- r.Shutdown().Error() }()
				select {
				case err := <-down:
					if !test.ends || err != nil {
						t.Errorf("raft ended after %s: %v", time.Since(began), err)
					}
				case <-time.After(long):
					if test.ends {
						t.Errorf("raft did not end in %s", long)
					}
					trans.end(t)
					<-down
				}
				on.Break("a", "b")
				if err := errors.Join(trans.Close(), other.close()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// lead has peer a, of a and b, lead.
func lead(t *testing.T, trans consensus.Wire, log *slog.Logger) *raft.Raft {
	t.Helper()
	store, conf := raft.NewInmemStore(), consensus.Config("a", 1, log)
	conf.CommitTimeout = 50 * time.Millisecond
	snapshots := raft.NewInmemSnapshotStore()
	err := raft.BootstrapCluster(conf, store, store, snapshots, trans, raft.Configuration{Servers: []raft.Server{
		{ID: "a", Address: "a:1"}, {ID: "b", Address: "b:1"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	logs, err := consensus.FitLogs(store, snapshots)
	if err != nil {
		t.Fatal(err)
	}
	r, err := consensus.Start(consensus.Parts{Config: conf, FSM: &raft.MockFSM{}, Snapshots: snapshots, Transport: trans}, logs, store)
	if err != nil {
		t.Fatal(err)
	}
	<-r.LeaderCh()
	if err := r.Barrier(time.Minute).Error(); err != nil {
		t.Fatal(err)
	}
	return r
}
