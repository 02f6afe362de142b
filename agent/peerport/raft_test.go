package peerport_test

import (
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

// words is a state machine that tells what it was given.
type words struct{ applied chan string }

func (w words) Apply(l *raft.Log) any               { w.applied <- string(l.Data); return nil }
func (w words) Snapshot() (raft.FSMSnapshot, error) { return nil, nil }
func (w words) Restore(r io.ReadCloser) error       { return r.Close() }

// member is a raft peer whose store outlives its process.
type member struct {
	id    string
	store *raft.InmemStore
	words words

	raft *raft.Raft
	stop func()
}

func newMember(t *testing.T, id string, ids ...string) *member {
	t.Helper()
	m := &member{id: id, store: raft.NewInmemStore(), words: words{make(chan string, 16)}}
	var servers []raft.Server
	for _, id := range ids {
		servers = append(servers, raft.Server{ID: raft.ServerID(id), Address: raft.ServerAddress(id)})
	}
	err := raft.BootstrapCluster(m.config(), m.store, m.store, raft.NewDiscardSnapshotStore(),
		noTransport(id), raft.Configuration{Servers: servers})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// noTransport is what bootstrapping asks for and does not use.
func noTransport(id string) raft.Transport {
	_, trans := raft.NewInmemTransportWithTimeout(raft.ServerAddress(id), time.Second)
	return trans
}

func (m *member) config() *raft.Config {
	cfg := raft.DefaultConfig()
	cfg.LocalID = raft.ServerID(m.id)
	cfg.HeartbeatTimeout, cfg.ElectionTimeout = 500*time.Millisecond, 500*time.Millisecond
	cfg.LeaderLeaseTimeout = 250 * time.Millisecond
	cfg.Logger = hclog.NewNullLogger()
	return cfg
}

// start runs the member on a new port of w, in the order of starting and
// stopping that the package's comment names.
func (m *member) start(t *testing.T, w *world) {
	t.Helper()
	p := w.start(t, m.id, nil)
	trans := raft.NewNetworkTransport(p.Streams(), 3, 2*time.Second, io.Discard)
	r, err := raft.NewRaft(m.config(), m.words, m.store, m.store, raft.NewDiscardSnapshotStore(), trans)
	if err != nil {
		t.Fatal(err)
	}
	m.raft = r
	m.stop = sync.OnceFunc(func() {
		if err := r.Shutdown().Error(); err != nil {
			t.Errorf("shut %s down: %v", m.id, err)
		}
		trans.Close()
		trans.CloseStreams()
		p.Streams().CloseStreams()
		p.stop()
	})
	t.Cleanup(m.stop)
}

func startGroup(t *testing.T, w *world) []*member {
	t.Helper()
	var group []*member
	for _, id := range []string{"a", "b", "c"} {
		m := newMember(t, id, "a", "b", "c")
		m.start(t, w)
		group = append(group, m)
	}
	return group
}

func leaderOf(t *testing.T, group []*member) int {
	t.Helper()
	timeout := time.NewTimer(time.Minute)
	defer timeout.Stop()
	for {
		var i int
		var leads bool
		select {
		case leads = <-group[0].raft.LeaderCh():
		case leads = <-group[1].raft.LeaderCh():
			i = 1
		case leads = <-group[2].raft.LeaderCh():
			i = 2
		case <-timeout.C:
			t.Fatal("no leader in a minute")
		}
		if leads {
			return i
		}
	}
}

func (m *member) expect(t *testing.T, want string) {
	t.Helper()
	timeout := time.NewTimer(time.Minute)
	defer timeout.Stop()
	select {
	case got := <-m.words.applied:
		if got != want {
			t.Errorf("peer %s applied %q, want %q", m.id, got, want)
		}
	case <-timeout.C:
		t.Fatalf("peer %s did not apply %q in a minute", m.id, want)
	}
}

func TestRaftGroupOverTCP(t *testing.T) {
	group := startGroup(t, loopback())
	leader := group[leaderOf(t, group)]
	if err := leader.raft.Apply([]byte("first"), 10*time.Second).Error(); err != nil {
		t.Fatal(err)
	}
	for _, m := range group {
		m.expect(t, "first")
		addr, id := m.raft.LeaderWithID()
		want := [2]string{leader.id, leader.id}
		if diff := cmp.Diff(want, [2]string{string(addr), string(id)}); diff != "" {
			t.Errorf("peer %s: leader's address and id: %s", m.id, diff)
		}
	}
}

func TestPeersMoveAcrossRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _ := piped()
		group := startGroup(t, w)
		i := leaderOf(t, group)
		leader, follower := group[i], group[(i+1)%3]
		if err := leader.raft.Apply([]byte("before"), time.Second).Error(); err != nil {
			t.Fatal(err)
		}
		follower.expect(t, "before")

		was, _ := w.resolve(follower.id)
		follower.stop()
		if err := leader.raft.Apply([]byte("meanwhile"), time.Second).Error(); err != nil {
			t.Fatal(err)
		}
		follower.start(t, w)
		if is, _ := w.resolve(follower.id); is == was {
			t.Fatalf("peer %s did not move", follower.id)
		}
		// A restarted raft with no snapshot applies its log from the beginning.
		follower.expect(t, "before")
		follower.expect(t, "meanwhile")
	})
}

// A whole group whose addresses all change finds itself again, though each peer
// has the address at which the others remember another.
func TestGroupSwapsAddresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, network := piped()
		group := startGroup(t, w)
		if err := group[leaderOf(t, group)].raft.Apply([]byte("before"), time.Second).Error(); err != nil {
			t.Fatal(err)
		}
		var addrs []string
		for _, m := range group {
			m.expect(t, "before")
			addr, _ := w.resolve(m.id)
			addrs = append(addrs, addr)
		}
		for _, m := range group {
			m.stop()
		}
		for i, m := range group {
			w.listen = func(*testing.T) net.Listener { return network.Listen(addrs[(i+1)%3]) }
			m.start(t, w)
		}
		for _, m := range group {
			m.expect(t, "before")
		}
	})
}
