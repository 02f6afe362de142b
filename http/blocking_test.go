package httpd_test

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

// pending is a request in a bubble that may be waiting.
type pending struct {
	t     *testing.T
	w     *httptest.ResponseRecorder
	ended chan struct{}
}

// blocked sends a GET that is to block.
func (f *face) blocked(ctx context.Context, t *testing.T, target string, header ...string) *pending {
	t.Helper()
	p := &pending{t: t, w: httptest.NewRecorder(), ended: make(chan struct{})}
	req := httptest.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	go func() {
		defer close(p.ended)
		f.server.Handler().ServeHTTP(p.w, req)
	}()
	if p.over() {
		t.Fatalf("%s does not block: %s", target, p.w.Body)
	}
	return p
}

// over says whether the request is answered, once all that can happen now has happened.
func (p *pending) over() bool {
	synctest.Wait()
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// answer is the answer of a request that must be over.
func (p *pending) answer() answer {
	p.t.Helper()
	if !p.over() {
		p.t.Fatal("the request still waits")
	}
	return answer{p.w, p.t}
}

func (f *face) indexOf(path string) uint64 {
	f.t.Helper()
	n, err := strconv.ParseUint(f.get(path).Header().Get("X-Muster-Index"), 10, 64)
	if err != nil {
		f.t.Fatal(err)
	}
	return n
}

func past(path string, index uint64) string { return path + "?index=" + strconv.FormatUint(index, 10) }

func TestBlockingReadAnswersOnChange(t *testing.T) {
	changes := map[string]func(*face){
		"/v1/clusters":       func(f *face) { f.do("PATCH", "/v1/cluster/carts", `{"group": "x"}`) },
		"/v1/cluster/orders": func(f *face) { f.do("PATCH", "/v1/cluster/orders/node/orders-1", `{"group": "x"}`) },
		"/v1/nodes":          func(f *face) { f.do("PATCH", "/v1/cluster/carts/node/carts-1", `{"group": "x"}`) },
		"/v1/discovery/prod": func(f *face) { f.do("PUT", "/v1/discovery/prod", `{"backend": "file", "interval": "5m"}`) },
		"/v1/claims":         func(f *face) { f.do("POST", "/v1/cluster/carts/refresh", nil) },
		"/v1/settings":       func(f *face) { f.do("PUT", "/v1/settings", `{"voters": 3}`) },
		"/v1/events":         func(f *face) { f.do("PUT", "/v1/settings", `{"voters": 3}`) },
		// each of its three sets
		"/v1/cluster/orders/effective?node=orders-1&stale": func(f *face) { f.do("PUT", "/v1/settings", `{"voters": 3}`) },
	}
	for path, act := range changes {
		synctest.Test(t, func(t *testing.T) {
			f := newFace(t)
			f.fleet()
			index := f.indexOf(path)
			separator := "?"
			if bytes.ContainsRune([]byte(path), '?') {
				separator = "&"
			}
			w := f.blocked(t.Context(), t, path+separator+"index="+strconv.FormatUint(index, 10))
			<-time.After(time.Minute)
			if w.over() {
				t.Fatalf("%s answered %d though nothing had changed", path, w.w.Code)
			}
			act(f)
			a := w.answer()
			if a.Code != http.StatusOK {
				t.Fatalf("%s answered %d", path, a.Code)
			}
			if got, _ := strconv.ParseUint(a.Header().Get("X-Muster-Index"), 10, 64); got <= index {
				t.Errorf("%s answered at %d, not past %d", path, got, index)
			}
		})
	}
}

func TestBlockingReadSleepsThroughOtherChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFace(t)
		f.fleet()
		w := f.blocked(t.Context(), t, past("/v1/cluster/orders", f.indexOf("/v1/cluster/orders")))
		f.do("PATCH", "/v1/cluster/carts", `{"group": "x"}`)
		f.unchanged("orders")
		if w.over() {
			t.Fatal("orders answered to what is not its own, or not its content")
		}
		<-time.After(6 * time.Minute)
		got := into[httpd.ClusterDetail](w.answer(), http.StatusOK)
		if s := f.state.Read().Schedule(fsm.Subject{Kind: fsm.KindRefresh, ID: 1}); got.RefreshedAt != s.Observed {
			t.Errorf("when the wait was over it told the times of its beginning")
		}
	})
}

func TestBlockingReadEndsWithItsWait(t *testing.T) {
	for query, span := range map[string]time.Duration{"": 5 * time.Minute, "&wait=10s": 10 * time.Second, "&wait=1h": 10 * time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			f := newFace(t)
			began := time.Now()
			a := f.get("/v1/clusters?index=1" + query)
			took := time.Since(began)
			if a.Code != http.StatusOK || took < span || took > span+span/16+time.Millisecond {
				t.Fatalf("wait %q: status %d after %s", query, a.Code, took)
			}
		})
	}
}

func TestBlockingReadOfWhatIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFace(t)
		f.fleet()
		f.do("PATCH", "/v1/cluster/carts/node/carts-1", `{"group": "x"}`)
		f.do("POST", "/v1/nodes/transition", `{"to": "decommissioned", "nodes": ["carts/carts-1"]}`)
		index := f.indexOf("/v1/cluster/carts")
		w := f.blocked(t.Context(), t, past("/v1/cluster/carts", index))
		f.do("POST", "/v1/nodes/transition", `{"to": "forgotten", "force": true, "nodes": ["carts/carts-1"]}`)
		gone := w.answer()
		gone.refuses(http.StatusNotFound, fsm.CodeNotFound)
		if got, _ := strconv.ParseUint(gone.Header().Get("X-Muster-Index"), 10, 64); got <= index {
			t.Fatalf("the index fell from %d to %d", index, got)
		}
		w = f.blocked(t.Context(), t, past("/v1/cluster/carts", f.indexOf("/v1/cluster/carts")))
		f.listed(f.state.Read().Discovery("prod"), "carts", "carts-9")
		if a := w.answer(); a.Code != http.StatusOK {
			t.Fatalf("the cluster is there again, yet the answer is %d", a.Code)
		}
	})
}

func TestBlockingReadEndsWithARestore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFace(t)
		f.fleet()
		var backup bytes.Buffer
		if err := f.state.Read().WriteSnapshot(&backup); err != nil {
			t.Fatal(err)
		}
		f.do("PATCH", "/v1/cluster/carts", `{"group": "x"}`)
		w := f.blocked(t.Context(), t, past("/v1/cluster/carts", f.indexOf("/v1/cluster/carts")))
		if err := f.state.Restore(&backup); err != nil {
			t.Fatal(err)
		}
		if a := w.answer(); a.Code != http.StatusOK {
			t.Fatalf("after a restore the answer is %d", a.Code)
		}
	})
}

func TestBlockingReadEndsWithItsRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFace(t)
		ctx, cancel := context.WithCancel(t.Context())
		w := f.blocked(ctx, t, "/v1/clusters?index=1")
		cancel()
		w.answer().refuses(http.StatusServiceUnavailable, fsm.CodeUnavailable)
	})
}

func TestWaitingIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := prometheus.NewRegistry()
		f := newFace(t, func(c *httpd.Config) { c.MaxWaiting, c.Registerer = 2, reg })
		first := f.blocked(t.Context(), t, "/v1/clusters?index=1")
		ctx, cancel := context.WithCancel(t.Context())
		f.blocked(ctx, t, "/v1/events/follow")
		if got := gauge(t, reg, "muster_http_waiting_requests"); got != 2 {
			t.Errorf("the metric counts %v waiting", got)
		}
		a := f.get("/v1/clusters?index=1")
		a.refuses(http.StatusTooManyRequests, httpd.CodeTooMany)
		if a.Header().Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
		f.get("/v1/events/follow").refuses(http.StatusTooManyRequests, httpd.CodeTooMany)
		if a := f.get("/v1/clusters"); a.Code != http.StatusOK {
			t.Errorf("a read that does not wait is answered %d", a.Code)
		}
		cancel()
		synctest.Wait()
		second := f.blocked(t.Context(), t, "/v1/clusters?index=1")
		f.fleet()
		if a, b := first.answer(), second.answer(); a.Code != http.StatusOK || b.Code != http.StatusOK {
			t.Errorf("answers are %d and %d", a.Code, b.Code)
		}
		if got := gauge(t, reg, "muster_http_waiting_requests"); got != 0 {
			t.Errorf("the metric counts %v waiting at the end", got)
		}
	})
}

// gauge is the value of a metric that has no labels.
func gauge(t *testing.T, reg *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == name {
			return family.GetMetric()[0].GetGauge().GetValue()
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}
