package sidecar_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/musterhq/muster/cmd/muster/sidecar"
	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

func TestPollsShareAProbe(t *testing.T) {
	bubble(t, nil, func(t *testing.T, db *store, s *sidecar.Sidecar) {
		synctest.Wait() // the first probe needs nobody to ask
		if n := db.count(); n != 1 {
			t.Fatalf("%d probes at the start, wanted is 1", n)
		}
		later()
		db.mu.Lock()
		db.hold = make(chan struct{})
		db.mu.Unlock()
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				if w := get(t, s, "/v1/node"); w.Code != http.StatusOK {
					t.Errorf("status %d", w.Code)
				}
			})
		}
		synctest.Wait()
		<-time.After(300 * time.Millisecond)
		close(db.hold)
		all.Wait()
		if n := db.count(); n != 2 {
			t.Errorf("%d probes after 20 polls at once, wanted is 2", n)
		}
	})
}

func TestAnswersAreFresh(t *testing.T) {
	bubble(t, nil, func(t *testing.T, db *store, s *sidecar.Sidecar) {
		synctest.Wait()
		for _, step := range []struct {
			wait   time.Duration
			probes int
		}{
			{0, 1},
			{499 * time.Millisecond, 1},
			{time.Millisecond, 2},
			{499 * time.Millisecond, 2},
			{4500 * time.Millisecond, 3},
			{5100 * time.Millisecond, 4}, // its own, 100 ms ago
			{time.Minute, 16},            // its own, at the very moment
		} {
			<-time.After(step.wait)
			synctest.Wait()
			if w := get(t, s, "/v1/node"); w.Code != http.StatusOK {
				t.Errorf("status %d", w.Code)
			}
			if n := db.count(); n != step.probes {
				t.Errorf("%d probes after another %s, wanted are %d", n, step.wait, step.probes)
			}
		}
	})
}

// TestWhoGoesAwayTakesNothingAlong has the one who made the probe necessary give up.
func TestWhoGoesAwayTakesNothingAlong(t *testing.T) {
	bubble(t, nil, func(t *testing.T, db *store, s *sidecar.Sidecar) {
		synctest.Wait()
		later()
		db.mu.Lock()
		db.hold = make(chan struct{})
		db.mu.Unlock()
		ctx, giveUp := context.WithCancel(t.Context())
		var both sync.WaitGroup
		both.Go(func() {
			w, r := httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, http.MethodGet, "/v1/node", nil)
			r.Host = "localhost"
			s.Handler().ServeHTTP(w, r)
			if w.Code != http.StatusServiceUnavailable {
				t.Errorf("given up: status %d", w.Code)
			}
		})
		synctest.Wait()
		both.Go(func() {
			if w := get(t, s, "/v1/node"); w.Code != http.StatusOK {
				t.Errorf("the other: status %d", w.Code)
			}
		})
		synctest.Wait()
		giveUp()
		synctest.Wait()
		close(db.hold)
		both.Wait()
	})
}

func TestSilentStoreIsDownInTime(t *testing.T) {
	bubble(t, nil, func(t *testing.T, db *store, s *sidecar.Sidecar) {
		synctest.Wait()
		later()
		db.mu.Lock()
		db.hold = make(chan struct{})
		db.mu.Unlock()
		began := time.Now()
		if w := get(t, s, "/v1/node"); w.Code != http.StatusServiceUnavailable {
			t.Errorf("first: status %d", w.Code)
		}
		if r := says(t, get(t, s, "/v1/node")); r.State != fsm.StateDown {
			t.Errorf("second: report is %+v", r)
		}
		if took := time.Since(began); took != 2*sidecar.DefaultTimeout {
			t.Errorf("it took %s", took)
		}
	})
}

func TestStopAnswersWhoWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := &store{says: leader(), hold: make(chan struct{})}
		s, stop := run(t, config(db))
		answered := make(chan *httptest.ResponseRecorder, 1)
		go func() { answered <- get(t, s, "/v1/node") }()
		synctest.Wait()
		stop()
		w := <-answered
		if w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "stopping") {
			t.Errorf("status %d: %s", w.Code, w.Body)
		}
		if w := get(t, s, "/livez"); w.Code != http.StatusServiceUnavailable {
			t.Errorf("stopped, but alive: status %d", w.Code)
		}
	})
}

// stuck is a prober that does not keep to its time.
type stuck struct {
	store
	end chan struct{}
}

func (s *stuck) Probe(context.Context, refresh.Target) fsm.Report {
	<-s.end
	return leader()
}

func TestHealth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := &stuck{end: make(chan struct{})}
		c := config(&db.store)
		c.Prober = db
		s, stop := run(t, c)
		defer stop()
		health := func(live, ready int) {
			t.Helper()
			synctest.Wait()
			if w := get(t, s, "/livez"); w.Code != live {
				t.Errorf("/livez is %d: %s", w.Code, w.Body)
			}
			if w := get(t, s, "/readyz"); w.Code != ready {
				t.Errorf("/readyz is %d: %s", w.Code, w.Body)
			}
		}
		health(200, 503)
		<-time.After(6 * time.Second)
		health(200, 503)
		<-time.After(2 * time.Second)
		health(503, 503)
		close(db.end)
		health(200, 200)
	})
}
