package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/musterhq/muster/agent/gossip"
	"github.com/musterhq/muster/agent/gossip/gossiptest"
	"github.com/musterhq/muster/discovery"
	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe/sidecar"
)

// world is a whole group with its source and its nodes in one bubble of virtual time.
type world struct {
	t      *testing.T
	net    *network
	gossip *gossiptest.Network
	source *source
	nodes  *nodes
	peers  []*peer
}

// peer is one peer of a world across its lives.
type peer struct {
	*Agent
	w      *world
	name   string
	host   string
	dir    string
	logs   *raft.InmemStore
	snaps  raft.SnapshotStore
	change func(*Config) // of the next life
	offset time.Duration // of its wall clock
	stop   context.CancelFunc
	done   chan error
}

// inBubble runs a test in virtual time with a world of n peers that found their group.
func inBubble(t *testing.T, n int, test func(w *world)) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, net: newNetwork(), gossip: gossiptest.NewNetwork()}
		w.source, w.nodes = &source{}, newNodes(w.net)
		defer w.nodes.close()
		for i := range n {
			w.add(fmt.Sprintf("peer-%c", 'a'+i))
		}
		defer func() {
			for _, p := range w.peers {
				p.end()
			}
		}()
		for _, p := range w.peers {
			p.start(func(c *Config) { c.BootstrapExpect = n })
		}
		w.leader()
		test(w)
	})
}

func (w *world) add(name string) *peer {
	p := &peer{
		w: w, name: name, host: fmt.Sprintf("127.0.1.%d", len(w.peers)+1), dir: w.t.TempDir(),
		logs: raft.NewInmemStore(), snaps: raft.NewInmemSnapshotStore(),
	}
	if err := os.Chmod(p.dir, 0o700); err != nil {
		w.t.Fatal(err)
	}
	w.peers = append(w.peers, p)
	return p
}

// start begins a life of the peer: it joins the first one.
func (p *peer) start(change func(*Config)) {
	w := p.w
	transport, err := w.gossip.Listen(p.host + ":8652")
	if err != nil {
		w.t.Fatal(err)
	}
	reg := prometheus.NewRegistry()
	timing := gossip.Loopback()
	cfg := Config{
		DataDir: p.dir, Name: p.name, HTTPAddr: p.host + ":8650", PeerAddr: p.host + ":8651", GossipAddr: p.host + ":8652",
		Join:       []string{w.peers[0].host + ":8652"},
		Backends:   discovery.Backends{"list": func(fsm.JSON, discovery.Env) (discovery.Backend, error) { return w.source, nil }},
		Probers:    map[string]refresh.Maker{"sidecar": sidecar.New},
		Log:        slog.New(slog.NewTextHandler(testWriter{w.t, p.name}, &slog.HandlerOptions{Level: slog.LevelInfo})),
		Registerer: reg, Gatherer: reg,
		Seams: Seams{
			Now:          func() time.Time { return time.Now().Add(p.offset) },
			HTTPListener: w.net.listen(p.host + ":8650"), PeerListener: w.net.listen(p.host + ":8651"),
			PeerDial: w.net.dialFrom(p.host), Gossip: transport, GossipTiming: &timing,
			ProbeDial: w.net.dialFrom(p.host), Logs: p.logs, Stable: p.logs, Snapshots: p.snaps,
		},
	}
	if change != nil {
		change(&cfg)
	}
	ctx, cancel := context.WithCancel(w.t.Context())
	if p.Agent, err = New(ctx, cfg); err != nil {
		cancel()
		w.t.Fatal(err)
	}
	p.stop, p.done = cancel, make(chan error, 1)
	go func() { p.done <- p.Run(ctx) }()
}

// end stops the peer gracefully and waits for it.
func (p *peer) end() {
	if p.stop == nil {
		return
	}
	p.stop()
	if err := <-p.done; err != nil {
		p.w.t.Errorf("%s ended with: %v", p.name, err)
	}
	p.stop = nil
}

// testWriter writes a peer's log lines to the test's.
type testWriter struct {
	t    *testing.T
	name string
}

func (w testWriter) Write(b []byte) (int, error) {
	if testing.Verbose() {
		fmt.Printf("%s %s", w.name, b)
	}
	return len(b), nil
}

// await blocks until the peer's state is as wanted; a virtual minute without it fails the test.
func (p *peer) await(what string, is func(*fsm.Reader) bool) *fsm.Reader {
	p.w.t.Helper()
	patience := time.NewTimer(time.Minute)
	defer patience.Stop()
	for {
		r := p.machine.Read()
		if is(r) {
			return r
		}
		w := r.Applied()
		select {
		case <-w.Changed:
		case <-w.Abandoned:
		case <-patience.C:
			p.w.t.Fatalf("%s: not within a minute: %s", p.name, what)
		}
	}
}

// leader waits for a peer whose term is open.
func (w *world) leader() *peer {
	w.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for range 6000 {
		for _, p := range w.peers {
			if p.stop != nil && p.term.Load() != nil && p.raft.VerifyLeader().Error() == nil {
				return p
			}
		}
		<-tick.C
	}
	w.t.Fatal("no leader within a minute")
	return nil
}

// others are the running peers but p.
func (w *world) others(p *peer) []*peer {
	var out []*peer
	for _, o := range w.peers {
		if o != p && o.stop != nil {
			out = append(out, o)
		}
	}
	return out
}

func (w *world) hosts(of []*peer) []string {
	var out []string
	for _, p := range of {
		out = append(out, p.host)
	}
	return out
}

// isolate cuts a peer from all other peers.
func (w *world) isolate(p *peer) {
	others := w.others(p)
	w.net.isolate(p.host, w.hosts(others)...)
	for _, o := range others {
		w.gossip.Split([]string{p.host + ":8652"}, []string{o.host + ":8652"})
	}
}

func (w *world) heal() {
	w.net.heal()
	w.gossip.Heal()
}

// apply proposes a command through a peer; it must be accepted.
func (p *peer) apply(c fsm.Command) fsm.Result {
	p.w.t.Helper()
	res, err := p.Propose(p.w.t.Context(), c)
	if err == nil {
		err = res.Err()
	}
	if err != nil {
		p.w.t.Fatalf("%s: %v", fsm.KindName(c), err)
	}
	return res
}

// discover applies a discovery of the world's source.
func (w *world) discover(change func(*fsm.Spec)) {
	w.t.Helper()
	spec := fsm.DefaultSpec()
	spec.Backend, spec.Cluster = "list", "{{.cluster}}"
	spec.Interval, spec.Refresh.Interval, spec.Refresh.Timeout = 10*fsm.Second, 5*fsm.Second, fsm.Second
	if change != nil {
		change(&spec)
	}
	p := w.leader()
	if err := p.Validate(w.t.Context(), &spec); err != nil {
		w.t.Fatal(err)
	}
	p.apply(&fsm.DiscoveryApply{Name: "all", Spec: spec, Cause: fsm.Cause{Kind: fsm.CauseOperator}})
}

// source is a discovery backend in memory.
type source struct {
	mu      sync.Mutex
	records []fsm.Record
	err     error
}

func (s *source) Read(context.Context, discovery.Want) ([]fsm.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]fsm.Record(nil), s.records...), s.err
}

func (s *source) set(records []fsm.Record, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records, s.err = records, err
}

// nodes plays nodes that speak the node protocol.
type nodes struct {
	net  *network
	mu   sync.Mutex
	docs map[string]refresh.Document // by host:port
	wait map[string]time.Duration
	srvs map[string]*http.Server
	done sync.WaitGroup
}

func newNodes(n *network) *nodes {
	return &nodes{net: n, docs: map[string]refresh.Document{}, wait: map[string]time.Duration{}, srvs: map[string]*http.Server{}}
}

// say lets a node at an address say something from now on, starting it if it was not there.
func (n *nodes) say(addr string, doc refresh.Document) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.docs[addr] = doc
	if n.srvs[addr] != nil {
		return
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { n.serve(addr, w, r) })}
	n.srvs[addr] = srv
	l := n.net.listen(addr)
	n.done.Go(func() { _ = srv.Serve(l) })
}

func (n *nodes) serve(addr string, w http.ResponseWriter, r *http.Request) {
	n.mu.Lock()
	doc, wait := n.docs[addr], n.wait[addr]
	n.mu.Unlock()
	if wait > 0 {
		pause(r.Context(), wait)
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(doc)
}

// slow makes a node answer late.
func (n *nodes) slow(addr string, by time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.wait[addr] = by
}

// kill closes a node: its port refuses.
func (n *nodes) kill(addr string) {
	n.mu.Lock()
	srv := n.srvs[addr]
	delete(n.srvs, addr)
	n.mu.Unlock()
	_ = srv.Close()
}

func (n *nodes) close() {
	n.mu.Lock()
	for _, srv := range n.srvs {
		_ = srv.Close()
	}
	n.mu.Unlock()
	n.done.Wait()
}

// cluster lists and plays clusters of m nodes each, the first node being the primary of shard 0.
func (w *world) clusters(n, m int) {
	var records []fsm.Record
	for c := range n {
		for i := range m {
			name, id := fmt.Sprintf("c%02d", c), fmt.Sprintf("n%d", i)
			host := fmt.Sprintf("127.1.%d.%d", c, i+1)
			role := fsm.RoleReplica
			if i == 0 {
				role = fsm.RolePrimary
			}
			records = append(records, fsm.Record{Cluster: name, Node: id, Address: host, Port: 8655})
			w.nodes.say(host+":8655", document(name, id, role))
		}
	}
	w.source.set(records, nil)
}

func document(cluster, node, role string) refresh.Document {
	return refresh.Document{
		Protocol: 1, NodeID: node, ClusterID: cluster, Kind: "redis", Version: "7.0.15", State: fsm.StateUp,
		Shards: []refresh.DocumentShard{{ID: "0", Role: role}},
	}
}
