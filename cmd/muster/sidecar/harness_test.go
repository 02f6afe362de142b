package sidecar_test

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/musterhq/muster/cmd/muster/sidecar"
	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// store is a prober whose answers a test decides.
type store struct {
	mu     sync.Mutex
	says   fsm.Report
	probes int
	hold   chan struct{} // when not nil, a probe ends after it is closed
}

func (s *store) say(r fsm.Report) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.says = r
}

func (s *store) fail(reason string) { s.say(fsm.Unreachable("store", reason, "for a test")) }

func (s *store) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.probes
}

func (s *store) Probe(ctx context.Context, t refresh.Target) fsm.Report {
	s.mu.Lock()
	s.probes++
	says, hold := s.says, s.hold
	s.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return t.Failed(ctx.Err())
		}
	}
	return says
}

func (*store) Close() {}

// pipes is a listener on which only the test calls.
type pipes struct {
	addr   net.Addr
	calls  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func listenTo(address string) *pipes {
	addr := net.TCPAddrFromAddrPort(netip.MustParseAddrPort(address))
	return &pipes{addr: addr, calls: make(chan net.Conn), closed: make(chan struct{})}
}

// call connects.
func (l *pipes) call() net.Conn {
	near, far := net.Pipe()
	l.calls <- far
	return near
}

func (l *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-l.calls:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipes) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *pipes) Addr() net.Addr { return l.addr }

// config is one that is good, for a store.
func config(s *store) sidecar.Config {
	reg := prometheus.NewRegistry()
	return sidecar.Config{
		Listener: listenTo("127.0.0.1:8655"), Prober: s, Target: refresh.Target{Node: "store", Address: "127.0.0.1", Port: 6379},
		Version: "0.1.0", Log: slog.New(slog.DiscardHandler), Registerer: reg, Gatherer: reg,
	}
}

// run runs a sidecar until the test, or the function it returns, ends it.
func run(t *testing.T, c sidecar.Config) (*sidecar.Sidecar, func()) {
	t.Helper()
	s, err := sidecar.New(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	stop := sync.OnceFunc(func() {
		began := time.Now()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("it took %s to stop", took)
		}
	})
	t.Cleanup(stop)
	return s, stop
}

// get asks the handler for a path, with headers given as "Name: value".
func get(t *testing.T, s *sidecar.Sidecar, path string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	return do(t, s, httptest.NewRequest(http.MethodGet, path, nil), headers...)
}

func do(t *testing.T, s *sidecar.Sidecar, r *http.Request, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r.Host = "127.0.0.1:8655"
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Host" {
			r.Host = value
		}
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r.WithContext(t.Context()))
	return w
}
