package agent

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/musterhq/muster/agent/gossip"
	"github.com/musterhq/muster/agent/gossip/gossiptest"
	"github.com/musterhq/muster/agent/memnet"
	"github.com/musterhq/muster/discovery"
	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe/sidecar"
)

// world is a whole group with its source and its nodes in one bubble of virtual time.
type world struct {
	t      *testing.T
	net    *memnet.Network
	gossip *gossiptest.Network
	source *source
	nodes  *nodes
	peers  []*peer
	lists  discovery.Backend // what the backend "list" reads: source unless a test says otherwise
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
	change func(*Config) // of every life
	made   func(*Agent)  // before it runs
	offset atomic.Int64  // of its wall clock, in nanoseconds
	said   lines         // what this life logged
	stop   context.CancelFunc
	done   chan error
}

// inBubble runs a test in virtual time with a world of n peers that have founded their group. At its end all must agree.
func inBubble(t *testing.T, n int, test func(t *testing.T, w *world)) { inBubbleOf(t, n, nil, test) }

// inBubbleOf is inBubble with another configuration of every peer.
func inBubbleOf(t *testing.T, n int, change func(*Config), test func(t *testing.T, w *world)) {
	inEmptyBubble(t, func(t *testing.T, w *world) {
		for i := range n {
			w.add(fmt.Sprintf("peer-%c", 'a'+i)).change = change
		}
		for _, p := range w.peers {
			p.start(func(c *Config) { c.BootstrapExpect = n })
		}
		for _, p := range w.peers {
			p.await("all peers' rows", rows(n))
		}
		test(t, w)
		w.agree()
	})
}

// inEmptyBubble runs a test in virtual time with a world without peers.
//
// It has one processor: with more, a bubble's timers crash the race detector now and then (golang/go#78156).
func inEmptyBubble(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, net: memnet.New(), gossip: gossiptest.NewNetwork(), source: &source{}}
		w.nodes, w.lists = newNodes(w.net), w.source
		defer w.nodes.close()
		defer func() {
			for _, p := range w.peers {
				p.end()
			}
		}()
		test(t, w)
	})
}

// rows says whether n peers are alive by their rows.
func rows(n int) func(*fsm.Reader) bool {
	return func(r *fsm.Reader) bool {
		alive := 0
		for p := range r.Peers() {
			if p.Status == fsm.PeerAlive {
				alive++
			}
		}
		return alive == n
	}
}

// add makes a peer with an empty disk.
func (w *world) add(name string) *peer {
	p := &peer{
		w: w, name: name, host: fmt.Sprintf("127.0.1.%d", len(w.peers)+1), dir: scratch(w.t),
		logs: raft.NewInmemStore(), snaps: raft.NewInmemSnapshotStore(),
	}
	w.peers = append(w.peers, p)
	return p
}

// scratch is a directory of the test's own, in memory where there is such a place: a disk's syncs cost real time.
func scratch(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "muster-test-") //nolint:usetesting // its directories are on a disk
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// start begins a life of the peer: it joins all others of its world.
func (p *peer) start(change func(*Config)) {
	p.w.t.Helper()
	if err := p.tryStart(change); err != nil {
		p.w.t.Fatal(err)
	}
}

// tryStart is start that may be refused.
func (p *peer) tryStart(change func(*Config)) error {
	cfg := p.config()
	for _, c := range []func(*Config){p.change, change} {
		if c != nil {
			c(&cfg)
		}
	}
	ctx, cancel := context.WithCancel(p.w.t.Context())
	agent, err := New(ctx, cfg)
	if err != nil {
		cancel()
		_ = cfg.Seams.Gossip.Shutdown()
		return err
	}
	if p.made != nil {
		p.made(agent)
	}
	p.Agent, p.stop, p.done = agent, cancel, make(chan error, 1)
	go func() { p.done <- agent.Run(ctx) }()
	return nil
}

func (p *peer) config() Config {
	w := p.w
	transport, err := w.gossip.Listen(p.host + ":8652")
	if err != nil {
		w.t.Fatal(err)
	}
	p.said = lines{name: p.name}
	reg, timing := prometheus.NewRegistry(), gossip.Loopback()
	cfg := Config{
		DataDir: p.dir, Name: p.name, HTTPAddr: p.host + ":8650", PeerAddr: p.host + ":8651", GossipAddr: p.host + ":8652",
		Backends: discovery.Backends{"list": func(fsm.JSON, discovery.Env) (discovery.Backend, error) { return w.lists, nil }},
		Probers:  map[string]refresh.Maker{"sidecar": sidecar.New},
		Log:      slog.New(&quiet{slog.NewTextHandler(&p.said, &slog.HandlerOptions{Level: slog.LevelDebug})}), Registerer: reg, Gatherer: reg,
		Seams: Seams{
			Now:          func() time.Time { return time.Now().Add(time.Duration(p.offset.Load())) },
			HTTPListener: w.net.Listen(p.host + ":8650"), PeerListener: w.net.Listen(p.host + ":8651"),
			PeerDial: w.net.DialFrom(p.host), Gossip: transport, GossipTiming: &timing,
			ProbeDial: w.net.DialFrom(p.host), Logs: p.logs, Stable: p.logs, Snapshots: p.snaps,
		},
	}
	for _, o := range w.peers {
		cfg.Join = append(cfg.Join, o.host+":8652")
	}
	return cfg
}

// end stops the peer gracefully and waits for it.
func (p *peer) end() {
	if p.stop == nil {
		return
	}
	p.stop()
	p.w.t.Helper()
	p.ended(nil)
}

// ended waits for the end of the peer's life, which must come with the error.
func (p *peer) ended(want error) {
	p.w.t.Helper()
	select {
	case err := <-p.done:
		if !errorIs(err, want) {
			p.w.t.Errorf("%s ended with: %v, want: %v", p.name, err, want)
		}
	case <-time.After(10 * time.Minute):
		p.w.t.Fatalf("%s does not end; wanted is: %v", p.name, want)
	}
	p.stop()
	p.stop = nil
}

// crash ends the peer as a lost machine does: the others hear nothing of it.
func (p *peer) crash() {
	p.w.isolate(p)
	p.end()
	p.w.heal()
}

// quiet leaves out what libraries say at length.
type quiet struct{ slog.Handler }

// WithAttrs is slog.Handler's: a library's logger is told by the attribute "part".
func (q *quiet) WithAttrs(attrs []slog.Attr) slog.Handler {
	if slices.ContainsFunc(attrs, func(a slog.Attr) bool { return a.Key == "part" }) {
		return slog.DiscardHandler
	}
	return &quiet{q.Handler.WithAttrs(attrs)}
}

// lines are log lines.
type lines struct {
	name string
	mu   sync.Mutex
	all  []string
}

// Write is io.Writer's.
func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, string(b))
	if os.Getenv("MUSTER_TEST_LOG") != "" {
		fmt.Printf("%s %s", l.name, b)
	}
	return len(b), nil
}

// with are the lines that hold all of some texts.
func (l *lines) with(texts ...string) (out []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.all {
		if !slices.ContainsFunc(texts, func(s string) bool { return !strings.Contains(line, s) }) {
			out = append(out, line)
		}
	}
	return out
}

// pass lets virtual time pass.
func (w *world) pass(d time.Duration) { <-time.After(d) }

// await blocks until the peer's state is as wanted; a virtual minute without it fails the test.
func (p *peer) await(what string, is func(*fsm.Reader) bool) *fsm.Reader {
	p.w.t.Helper()
	return p.awaitFor(time.Minute, what, is)
}

// awaitFor is await with another patience.
func (p *peer) awaitFor(most time.Duration, what string, is func(*fsm.Reader) bool) *fsm.Reader {
	p.w.t.Helper()
	patience := time.NewTimer(most)
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
			p.w.t.Fatalf("%s: not within %s: %s", p.name, most, what)
		}
	}
}

// until blocks until something is so; a virtual minute without it fails the test.
func (w *world) until(what string, is func() bool) {
	w.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for range 6000 {
		if is() {
			return
		}
		<-tick.C
	}
	w.t.Fatalf("not within a minute: %s", what)
}

// leader waits for a peer whose term is open.
func (w *world) leader() *peer {
	w.t.Helper()
	return w.leaderOf(w.running())
}

// leaderOf waits for one of some peers to lead.
func (w *world) leaderOf(some []*peer) *peer {
	w.t.Helper()
	var leader *peer
	w.until("a leader", func() bool {
		for _, p := range some {
			if p.stop != nil && p.term.Load() != nil && p.raft.VerifyLeader().Error() == nil {
				leader = p
			}
		}
		return leader != nil
	})
	return leader
}

func (w *world) running() []*peer { return w.others(nil) }

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

// follower is a running peer that does not lead.
func (w *world) follower() *peer { return w.others(w.leader())[0] }

// isolate cuts a peer from all other peers, and returns when what had arrived before is dealt with.
func (w *world) isolate(p *peer) {
	for _, o := range w.peers {
		if o != p {
			w.net.Split(p.host, o.host)
			w.gossip.Split([]string{p.host + ":8652"}, []string{o.host + ":8652"})
		}
	}
	synctest.Wait()
}

// blind cuts a peer from all nodes.
func (w *world) blind(p *peer, nodes ...string) {
	for _, addr := range nodes {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			w.t.Fatal(err)
		}
		w.net.Cut(p.host, host)
	}
}

// sighted undoes blind.
func (w *world) sighted(p *peer, nodes ...string) {
	for _, addr := range nodes {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			w.t.Fatal(err)
		}
		w.net.Mend(p.host, host)
	}
}

func (w *world) heal() {
	w.net.Heal()
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

// operator is the cause of what tests do as an operator would.
var operator = fsm.Cause{Kind: fsm.CauseOperator, Accessor: "test"}

// spec is a discovery of the world's source: runs each 10 s, refreshes each 5 s, polls of at most a second.
func (w *world) spec(change func(*fsm.Spec)) fsm.Spec {
	w.t.Helper()
	spec := fsm.DefaultSpec()
	spec.Backend, spec.Cluster = "list", "{{.cluster}}"
	spec.Interval, spec.Refresh.Interval, spec.Refresh.Timeout = 10*fsm.Second, 5*fsm.Second, fsm.Second
	if change != nil {
		change(&spec)
	}
	if err := w.leader().Validate(w.t.Context(), &spec); err != nil {
		w.t.Fatal(err)
	}
	return spec
}

// discover applies a discovery of the world's source, "all".
func (w *world) discover(change func(*fsm.Spec)) {
	w.t.Helper()
	w.leader().apply(&fsm.DiscoveryApply{Name: "all", Spec: w.spec(change), Cause: operator})
}

// settled plays n clusters of m nodes and waits until every peer holds them healthy and nothing is claimed.
func (w *world) settled(n, m int, change func(*fsm.Spec)) {
	w.t.Helper()
	w.clusters(n, m)
	w.discover(change)
	for _, p := range w.running() {
		p.await("healthy clusters", healthy(n))
		p.await("no open claim", func(r *fsm.Reader) bool { return len(slices.Collect(r.Claims())) == 0 })
	}
}
