package gossip_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/musterhq/muster/agent/gossip"
	"github.com/musterhq/muster/agent/gossip/gossiptest"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

const (
	idA = "01J0000000000000000000000A"
	idB = "01J0000000000000000000000B"
	idC = "01J0000000000000000000000C"

	groupOne = "01J1111111111111111111111A"
	groupTwo = "01J2222222222222222222222A"
)

// peer is one running Gossip.
type peer struct {
	*gossip.Gossip
	t      *testing.T
	ctx    context.Context
	cancel context.CancelFunc
	ended  chan error
	log    *logBook
	reg    *prometheus.Registry
}

// logBook keeps what was logged.
type logBook struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBook) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBook) count(text string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Count(b.buf.String(), text)
}

// member is a plain voter-to-be.
func member(id string) gossip.Member {
	return gossip.Member{
		ID: id, Name: "peer-" + strings.ToLower(id[25:]), Version: "1.2.3",
		PeerAddr: "10.0.0.1:8651", HTTPAddr: "10.0.0.1:8650", Expect: 3, Labels: map[string]string{"zone": "a"},
	}
}

// start runs a peer at addr of the network until the test ends. configure may
// be nil.
func start(t *testing.T, n *gossiptest.Network, id, addr string, configure func(*gossip.Config)) *peer {
	t.Helper()
	p := &peer{t: t, log: &logBook{}, reg: prometheus.NewRegistry(), ended: make(chan error, 1)}
	cfg := gossip.Config{
		Self: member(id), Timings: gossip.Loopback(),
		Log: slog.New(slog.NewTextHandler(p.log, &slog.HandlerOptions{Level: slog.LevelDebug})), Registerer: p.reg,
	}
	if n != nil {
		transport, err := n.Listen(addr)
		if err != nil {
			t.Fatal(err)
		}
		cfg.Transport = transport
	} else {
		cfg.Bind = addr
	}
	if configure != nil {
		configure(&cfg)
	}
	g, err := gossip.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	p.Gossip = g
	p.ctx, p.cancel = context.WithCancel(t.Context())
	go func() { p.ended <- g.Run(p.ctx) }()
	t.Cleanup(p.crash)
	select {
	case <-g.Ready():
	case err := <-p.ended:
		t.Fatalf("run: %v", err)
	}
	return p
}

// crash ends the peer without a word. It may be called again.
func (p *peer) crash() {
	if p.cancel == nil {
		return
	}
	p.cancel()
	p.cancel = nil
	if err := <-p.ended; err != nil {
		p.t.Errorf("run: %v", err)
	}
}

// stop says farewell and ends the peer.
func (p *peer) stop(intent gossip.Intent) {
	p.t.Helper()
	if err := p.Leave(p.ctx, intent); err != nil {
		p.t.Fatalf("leave: %v", err)
	}
	p.crash()
}

// keepJoining joins in the background until the peer ends.
func (p *peer) keepJoining(addrs ...string) {
	done := make(chan error, 1)
	ctx := p.ctx
	go func() { done <- p.KeepJoining(ctx, addrs) }()
	crash := p.cancel
	p.cancel = func() {
		crash()
		if err := <-done; err != nil && !errors.Is(err, gossip.ErrDeparted) {
			p.t.Errorf("keep joining: %v", err)
		}
	}
}

// sees waits until p lists others with exactly these statuses, by id, itself
// left out.
func (p *peer) sees(want map[string]gossip.Status) {
	p.t.Helper()
	p.until(fmt.Sprint("sees ", want), func(ms []gossip.Member) bool {
		if len(ms) != len(want)+1 {
			return false
		}
		for _, m := range ms {
			if s, ok := want[m.ID]; ok && s != m.Status {
				return false
			}
		}
		return true
	})
}

// until waits for what ok says of p's members.
func (p *peer) until(what string, ok func([]gossip.Member) bool) {
	p.t.Helper()
	limit := time.After(5 * time.Minute)
	if p.slow() {
		limit = time.After(20 * time.Second)
	}
	for {
		changed := p.Changed()
		if ok(p.Members()) {
			return
		}
		select {
		case <-changed:
		case <-limit:
			p.t.Fatalf("never: %s; members: %+v\n%s", what, p.Members(), p.log.buf.String())
		}
	}
}

// slow tells real time from a bubble's, which starts in the year 2000.
func (p *peer) slow() bool { return time.Now().Year() > 2001 }

func (p *peer) find(id string) gossip.Member {
	for _, m := range p.Members() {
		if m.ID == id {
			return m
		}
	}
	p.t.Helper()
	p.t.Fatalf("no member %s in %+v", id, p.Members())
	return gossip.Member{}
}

func (p *peer) gauge(name string) float64 {
	p.t.Helper()
	families, err := p.reg.Gather()
	if err != nil {
		p.t.Fatal(err)
	}
	sum, found := 0.0, false
	for _, f := range families {
		if f.GetName() == name {
			for _, m := range f.GetMetric() {
				sum, found = sum+m.GetGauge().GetValue()+m.GetCounter().GetValue(), true
			}
		}
	}
	if !found && !strings.HasSuffix(name, "_total") { // a counter by reason has none before the first
		p.t.Fatalf("no metric %s", name)
	}
	return sum
}

// counts waits until a metric has reached a value, with nothing to be woken by.
func (p *peer) counts(name string, want float64) {
	p.t.Helper()
	limit, tick := time.After(20*time.Second), time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for p.gauge(name) != want {
		select {
		case <-tick.C:
		case <-limit:
			p.t.Fatalf("%s is %v, want %v", name, p.gauge(name), want)
		}
	}
}
