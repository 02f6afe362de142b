package bootstrap_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/musterhq/muster/agent/bootstrap"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// hall is where founders see and call each other. A change is a new channel.
type hall struct {
	t  *testing.T
	mu sync.Mutex

	peers   map[string]bootstrap.Peer
	changed chan struct{}
	at      map[string]*bootstrap.Founder
	deaf    map[string]bool // calls to them fail
	delay   time.Duration   // of every call
	tick    time.Duration   // of every founder
	calls   int
	groups  [][]string
}

func newHall(t *testing.T) *hall {
	return &hall{
		t: t, peers: map[string]bootstrap.Peer{}, changed: make(chan struct{}),
		at: map[string]*bootstrap.Founder{}, deaf: map[string]bool{},
	}
}

func (h *hall) show(p bootstrap.Peer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.peers[p.ID] = p
	close(h.changed)
	h.changed = make(chan struct{})
}

func (h *hall) Changed() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.changed
}

func (h *hall) Seen() []bootstrap.Peer {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []bootstrap.Peer
	for _, p := range h.peers {
		out = append(out, p)
	}
	return out
}

func (h *hall) Promise(ctx context.Context, to string, o bootstrap.Offer) (bootstrap.Answer, error) {
	h.mu.Lock()
	f, deaf := h.at[to], h.deaf[to]
	h.calls++
	h.mu.Unlock()
	if f == nil {
		return bootstrap.Answer{}, errors.New("connection refused")
	}
	if deaf {
		<-ctx.Done()
		return bootstrap.Answer{}, ctx.Err()
	}
	select {
	case <-time.After(h.delay):
	case <-ctx.Done():
	}
	return f.Receive(ctx, o)
}

func noGroup(context.Context, []string) error { return errors.New("no group was asked for") }

func (h *hall) founded() [][]string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.groups)
}

// person is one running founder.
type person struct {
	*bootstrap.Founder
	cfg   bootstrap.Config
	log   *bytes.Buffer // read after stop
	stop  context.CancelFunc
	ended chan error
}

// join runs a founder on dir until the test ends or stop is called.
func (h *hall) join(id string, expect int, dir string) *person {
	h.t.Helper()
	p := &person{log: &bytes.Buffer{}, ended: make(chan error, 1)}
	p.cfg = bootstrap.Config{
		ID: id, Name: "peer-" + id, Expect: expect, Dir: dir, Roster: h, Caller: h, Tick: h.tick,
		Log: slog.New(slog.NewTextHandler(p.log, nil)), Registerer: prometheus.NewRegistry(),
		Found: func(_ context.Context, set []string) error {
			h.mu.Lock()
			h.groups = append(h.groups, set)
			h.mu.Unlock()
			for _, m := range set {
				h.show(bootstrap.Peer{ID: m, Expect: expect, Alive: true, HasLog: true, Group: "g"})
			}
			return nil
		},
	}
	f, err := bootstrap.New(p.cfg)
	if err != nil {
		h.t.Fatal(err)
	}
	p.Founder = f
	h.mu.Lock()
	h.at[id] = f
	h.mu.Unlock()
	h.show(bootstrap.Peer{ID: id, Name: "peer-" + id, Expect: expect, Alive: true})
	ctx, cancel := context.WithCancel(h.t.Context())
	go func() { p.ended <- f.Run(ctx) }()
	p.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-p.ended; err != nil {
			h.t.Errorf("run: %v", err)
		}
		h.mu.Lock()
		delete(h.at, id)
		h.mu.Unlock()
	})
	h.t.Cleanup(p.stop)
	return p
}

// bubble runs f in virtual time, on one processor for the race detector's sake
// (golang/go#78156).
func bubble(t *testing.T, f func(t *testing.T, h *hall)) {
	t.Helper()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	synctest.Test(t, func(t *testing.T) { f(t, newHall(t)) })
}

func TestThreeFoundOneGroup(t *testing.T) {
	bubble(t, func(t *testing.T, h *hall) {
		for _, id := range []string{"c", "b"} {
			h.join(id, 3, t.TempDir())
		}
		<-time.After(time.Minute)
		if got := h.founded(); got != nil || h.calls != 0 {
			t.Fatalf("two of three: %v, %d calls", got, h.calls)
		}
		h.join("a", 3, t.TempDir())
		<-time.After(2 * time.Second)
		if diff := cmp.Diff([][]string{{"a", "b", "c"}}, h.founded()); diff != "" {
			t.Error(diff)
		}
		<-time.After(time.Hour)
		if got := h.founded(); len(got) != 1 {
			t.Errorf("founded again: %v", got)
		}
	})
}

func TestPromisesWakeTheHolder(t *testing.T) {
	bubble(t, func(t *testing.T, h *hall) {
		h.tick, h.delay = time.Hour, 10*time.Millisecond
		for _, id := range []string{"a", "b", "c"} {
			h.join(id, 3, t.TempDir())
		}
		<-time.After(time.Second)
		if got := h.founded(); len(got) != 1 {
			t.Errorf("founded %v", got)
		}
	})
}

func TestLowerOneComesLate(t *testing.T) {
	bubble(t, func(t *testing.T, h *hall) {
		h.join("b", 3, t.TempDir())
		h.join("c", 3, t.TempDir())
		d := h.join("d", 3, t.TempDir())
		h.mu.Lock()
		h.deaf["b"] = true // nobody gets through to the lowest
		h.mu.Unlock()
		<-time.After(10 * time.Second)
		if p, err := d.Promises(t.Context()); err != nil || p.To != "b" {
			t.Fatalf("promises %+v, %v", p, err)
		}
		h.join("a", 3, t.TempDir())
		h.mu.Lock()
		h.deaf["b"] = false
		h.mu.Unlock()
		<-time.After(10 * time.Second)
		if got := h.founded(); len(got) != 1 || len(got[0]) != 3 || got[0][0] != "a" {
			t.Errorf("founded %v", got)
		}
	})
}

func TestPromisesOutliveTheProcess(t *testing.T) {
	bubble(t, func(t *testing.T, h *hall) {
		dir := t.TempDir()
		h.join("b", 3, t.TempDir())
		c := h.join("c", 3, dir)
		h.show(bootstrap.Peer{ID: "a", Expect: 3, Alive: true}) // seen, and never answers
		<-time.After(5 * time.Second)
		before, err := c.Promises(t.Context())
		if err != nil || before.To != "a" {
			t.Fatalf("promises %+v, %v", before, err)
		}
		c.stop()
		h.show(bootstrap.Peer{ID: "a", Expect: 3})
		again := h.join("c", 3, dir)
		h.join("d", 3, t.TempDir())
		<-time.After(150 * time.Second)
		after, err := again.Promises(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(before, after); diff != "" {
			t.Errorf("a promise was broken: %s", diff)
		}
		if got := h.founded(); got != nil {
			t.Errorf("founded %v with promised peers", got)
		}
		again.stop()
		if got := strings.Count(again.log.String(), "promised to a peer that is not there"); got != 2 {
			t.Errorf("reminded %d times in two and a half minutes:\n%s", got, again.log)
		}
	})
}

func TestFounderFinishesAfterACrash(t *testing.T) {
	bubble(t, func(t *testing.T, h *hall) {
		dir, broken := t.TempDir(), errors.New("raft said no")
		cfg := h.join("z", 9, t.TempDir()).cfg
		cfg.ID, cfg.Expect, cfg.Dir, cfg.Registerer = "a", 1, dir, prometheus.NewRegistry()
		cfg.Found = func(context.Context, []string) error { return broken }
		f, err := bootstrap.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Run(t.Context()); !errors.Is(err, broken) {
			t.Fatalf("got %v", err)
		}
		h.show(bootstrap.Peer{ID: "0", Expect: 1, Alive: true}) // a lower one is too late
		h.join("a", 1, dir)
		<-time.After(time.Second)
		if diff := cmp.Diff([][]string{{"a"}}, h.founded()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestDisagreementIsToldOnce(t *testing.T) {
	bubble(t, func(t *testing.T, h *hall) {
		a := h.join("a", 3, t.TempDir())
		h.join("b", 5, t.TempDir())
		h.join("c", 3, t.TempDir())
		<-time.After(time.Minute)
		a.stop()
		if got := strings.Count(a.log.String(), `says="3: peer-a; 5: peer-b"`); got != 1 {
			t.Errorf("told %d times:\n%s", got, a.log)
		}
		if got := h.founded(); got != nil {
			t.Errorf("founded %v", got)
		}
	})
}

func TestWaitsWhenAGroupIsThere(t *testing.T) {
	bubble(t, func(t *testing.T, h *hall) {
		h.show(bootstrap.Peer{ID: "x", Name: "old", Group: "g1", HasLog: true})
		a := h.join("a", 1, t.TempDir())
		<-time.After(time.Hour)
		if got := h.founded(); got != nil {
			t.Errorf("founded %v beside a group", got)
		}
		a.stop()
		if got := strings.Count(a.log.String(), "a group exists"); got != 1 {
			t.Errorf("told %d times:\n%s", got, a.log)
		}
	})
}

func TestManyStartTogether(t *testing.T) {
	for _, n := range []int{1, 2, 3, 5} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			bubble(t, func(t *testing.T, h *hall) {
				for i := range 2*n - 1 {
					h.join(string(rune('a'+i)), n, t.TempDir())
				}
				<-time.After(10 * time.Second)
				if got := h.founded(); len(got) != 1 || len(got[0]) != n {
					t.Errorf("founded %v", got)
				}
			})
		})
	}
}
