package peerport_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/raft"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/musterhq/muster/agent/memnet"
	"github.com/musterhq/muster/agent/peerport"
)

// world is where the peers of a test find each other.
type world struct {
	listen func(t *testing.T) net.Listener
	dial   func(ctx context.Context, network, addr string) (net.Conn, error)

	mu    sync.Mutex
	addrs map[string]string
}

// loopback is a world of TCP on 127.0.0.1.
func loopback() *world {
	return &world{addrs: map[string]string{}, listen: func(t *testing.T) net.Listener {
		t.Helper()
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		return l
	}}
}

func (w *world) resolve(id string) (string, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	addr, ok := w.addrs[id]
	return addr, ok
}

func (w *world) move(id, addr string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.addrs[id] = addr
}

// connect opens a bare connection to a peer.
func (w *world) connect(t *testing.T, id string) net.Conn {
	t.Helper()
	addr, _ := w.resolve(id)
	dial := w.dial
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	c, err := dial(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(time.Minute)) // an error is for whoever reads
	return c
}

type peer struct {
	*peerport.Port
	registry *prometheus.Registry
	stop     func() // ends Run; may be called again
}

func group(id string) func() string { return func() string { return id } }

// start runs a peer of group "g" until the test ends.
func (w *world) start(t *testing.T, id string, change func(*peerport.Config)) *peer {
	t.Helper()
	registry := prometheus.NewRegistry()
	cfg := peerport.Config{
		ID: id, Group: group("g"), Listener: w.listen(t), Dial: w.dial, Resolve: w.resolve,
		Handler: http.NotFoundHandler(), Registerer: registry,
	}
	if change != nil {
		change(&cfg)
	}
	port, err := peerport.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	w.move(id, cfg.Listener.Addr().String())
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- port.Run(ctx) }()
	p := &peer{Port: port, registry: registry}
	p.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("peer %s: Run: %v", id, err)
		}
	})
	t.Cleanup(p.stop)
	return p
}

// echo answers every accepted raft stream with what it reads.
func (p *peer) echo(t *testing.T) {
	t.Helper()
	var open sync.WaitGroup
	open.Go(func() {
		for {
			c, err := p.Streams().Accept()
			if err != nil {
				return
			}
			open.Go(func() {
				defer c.Close()
				buf := make([]byte, 64)
				for {
					n, err := c.Read(buf)
					if err != nil {
						return
					}
					if _, err := c.Write(buf[:n]); err != nil {
						return
					}
				}
			})
		}
	})
	t.Cleanup(func() {
		p.Streams().Close()
		p.Streams().CloseStreams()
		open.Wait()
	})
}

// sendBack sends one word over a stream and expects it back.
func sendBack(c net.Conn, word string) error {
	if _, err := c.Write([]byte(word)); err != nil {
		return fmt.Errorf("write %q: %w", word, err)
	}
	buf := make([]byte, 64)
	n, err := c.Read(buf)
	if err != nil || string(buf[:n]) != word {
		return fmt.Errorf("read %q, %v, want %q", buf[:n], err, word)
	}
	return nil
}

func exchange(t *testing.T, c net.Conn, word string) {
	t.Helper()
	if err := sendBack(c, word); err != nil {
		t.Fatal(err)
	}
}

func (p *peer) dialStream(t *testing.T, id string) net.Conn {
	t.Helper()
	c, err := p.Streams().Dial(raft.ServerAddress(id), 10*time.Second)
	if err != nil {
		t.Fatalf("dial %s: %v", id, err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// count reads one of the port's metrics.
func (p *peer) count(t *testing.T, name, label string) float64 {
	t.Helper()
	families, err := p.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != "muster_peerport_"+name {
			continue
		}
		for _, m := range f.GetMetric() {
			if m.GetLabel()[0].GetValue() == label {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return 0
}

func TestNewValidates(t *testing.T) {
	good := peerport.Config{
		ID: "a", Group: group("g"), Listener: memnet.New().Listen("10.0.0.1:1"),
		Resolve: (&world{}).resolve, Handler: http.NotFoundHandler(),
	}
	for name, c := range map[string]struct {
		change func(*peerport.Config)
		want   string
	}{
		"good":             {func(*peerport.Config) {}, ""},
		"no id":            {func(c *peerport.Config) { c.ID = "" }, "peer id"},
		"id with a space":  {func(c *peerport.Config) { c.ID = "a b" }, "peer id"},
		"id too long":      {func(c *peerport.Config) { c.ID = strings.Repeat("a", 65) }, "peer id"},
		"no group":         {func(c *peerport.Config) { c.Group = nil }, "group is missing"},
		"no listener":      {func(c *peerport.Config) { c.Listener = nil }, "listener is missing"},
		"no resolve":       {func(c *peerport.Config) { c.Resolve = nil }, "resolve is missing"},
		"no handler":       {func(c *peerport.Config) { c.Handler = nil }, "handler is missing"},
		"negative limit":   {func(c *peerport.Config) { c.MaxConns = -1 }, "limit is negative"},
		"negative timeout": {func(c *peerport.Config) { c.IdleTimeout = -1 }, "timeout is negative"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := good
			c.change(&cfg)
			_, err := peerport.New(cfg)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("New: %v, want %q", err, c.want)
			}
		})
	}
}

func TestRunOnce(t *testing.T) {
	p := loopback().start(t, "a", nil)
	p.stop()
	if err := p.Run(t.Context()); err == nil {
		t.Error("a second Run returned nil")
	}
}

func TestRunEndsWithItsListener(t *testing.T) {
	l := loopback().listen(t)
	port, err := peerport.New(peerport.Config{
		ID: "a", Group: group("g"), Listener: l, Resolve: (&world{}).resolve, Handler: http.NotFoundHandler(),
	})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- port.Run(t.Context()) }()
	l.Close()
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("Run = %v, want net.ErrClosed", err)
	}
}

func TestRunClosesEveryConnection(t *testing.T) {
	w := loopback()
	a, b := w.start(t, "a", nil), w.start(t, "b", nil)
	b.echo(t)
	stream := a.dialStream(t, "b")
	exchange(t, stream, "hello")
	_, err := a.Client().Do(t.Context(), peerport.Request{Peer: "b", Path: "/"})
	if status := (*peerport.StatusError)(nil); !errors.As(err, &status) {
		t.Fatal(err)
	}
	b.stop()
	for _, protocol := range []string{"new", "raft", "http", "dialed"} {
		if n := b.count(t, "open_connections", protocol); n != 0 {
			t.Errorf("%v open %s connections after Run", n, protocol)
		}
	}
	if _, err := b.Streams().Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept after Run = %v, want net.ErrClosed", err)
	}
	if _, err := stream.Read(make([]byte, 1)); err == nil {
		t.Error("the stream outlived the other side's Run")
	}
	a.stop()
	if n := a.count(t, "open_connections", "dialed"); n != 0 {
		t.Errorf("%v open dialed connections after Run", n)
	}
	_, err = a.Streams().Dial("b", time.Second)
	if dial := (*peerport.DialError)(nil); !errors.As(err, &dial) {
		t.Errorf("Dial after Run: %v, want a DialError", err)
	}
}

func TestCloseStreams(t *testing.T) {
	w := loopback()
	a, b := w.start(t, "a", nil), w.start(t, "b", serving(func(http.ResponseWriter, *http.Request) {}))
	b.echo(t)
	stream := a.dialStream(t, "b")
	exchange(t, stream, "hello")
	b.Streams().CloseStreams()
	expectClosed(t, "accepted stream", stream)
	ask(t, a, peerport.Request{Peer: "b", Path: "/"})
	exchange(t, a.dialStream(t, "b"), "streams are taken again")
}

func TestAddrIsTheID(t *testing.T) {
	p := loopback().start(t, "a", nil)
	trans := raft.NewNetworkTransport(p.Streams(), 1, time.Second, discard{})
	defer trans.Close()
	if diff := cmp.Diff(raft.ServerAddress("a"), trans.LocalAddr()); diff != "" {
		t.Error(diff)
	}
}

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }
