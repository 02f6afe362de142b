package consul_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/consul/api"

	"github.com/musterhq/muster/discovery"
	"github.com/musterhq/muster/discovery/consul"
)

// ear is a Watch under way. In a bubble: what was said, and when.
type ear struct {
	said  []string // each nudge's names with the time since the ear was put on
	ended chan struct{}
	stop  context.CancelFunc
}

func listen(t *testing.T, b discovery.Backend) *ear {
	ctx, cancel := context.WithCancel(t.Context())
	e := &ear{ended: make(chan struct{}), stop: cancel}
	began := time.Now()
	go func() {
		defer close(e.ended)
		_ = b.(discovery.Watcher).Watch(ctx, func(names []string) {
			e.said = append(e.said, fmt.Sprintf("%s %s", time.Since(began), strings.Join(names, ",")))
		})
	}()
	t.Cleanup(func() {
		cancel()
		<-e.ended
	})
	return e
}

// heard is what was said by now, once everything has settled.
func (e *ear) heard() []string {
	synctest.Wait()
	out := e.said
	e.said = nil
	return out
}

func wantHeard(t *testing.T, e *ear, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, e.heard()); diff != "" {
		t.Errorf("nudges (-want +got):\n%s", diff)
	}
}

// pass lets virtual time pass.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func TestWatchNamesWhatMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := startFake(t)
		f.set("orders", instance("orders", "orders-1", 1))
		f.set("users", instance("users", "users-1", 1))
		e := listen(t, f.open(t, `{"services": ["orders", "users", "new*"]}`))
		pass(time.Second)
		begun := e.heard()
		if all := strings.Join(begun, ","); !strings.Contains(all, "orders") || !strings.Contains(all, "users") {
			t.Errorf("the watch began with %q; everything selected is wanted", begun)
		}
		pass(9 * time.Second)

		f.set("orders", instance("orders", "orders-1", 2))
		wantHeard(t, e, "10s orders")
		f.set("users", instance("users", "users-1", 2))
		pass(100 * time.Millisecond)
		f.set("orders", instance("orders", "orders-1", 3))
		pass(time.Second)
		wantHeard(t, e, "10.2s orders,users")

		f.set("other", instance("other", "other-1", 1))
		pass(9 * time.Second)
		wantHeard(t, e)
		f.set("newest", instance("newest", "newest-1", 1))
		pass(time.Second)
		if got := e.heard(); len(got) != 1 || !strings.Contains(got[0], "newest") {
			t.Errorf("a new service is told as %q; once is wanted", got)
		}
		f.set("newest")
		pass(5 * time.Second)
		if got := e.heard(); len(got) == 0 || !strings.Contains(got[0], "newest") {
			t.Errorf("a service that went is told as %q", got)
		}
	})
}

func TestWatchIsQuietWhenContentIsTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := startFake(t)
		one, two := instance("orders", "orders-1", 1), instance("orders", "orders-2", 1)
		f.set("orders", one, two)
		e := listen(t, f.open(t, "{}"))
		pass(10 * time.Second)
		e.heard()
		again := *one
		again.ModifyIndex, again.Checks = 99, api.HealthChecks{{Output: "all is well"}}
		f.set("orders", two, &again)
		pass(10 * time.Second)
		wantHeard(t, e)
	})
}

func TestWatchIndexes(t *testing.T) {
	for _, c := range []struct {
		name    string
		indexes []uint64 // that answers carry, the last one for ever
		want    []string // what is asked for
	}{
		{"forwards", []uint64{5, 6}, []string{"", "?5", "?6"}},
		{"backwards starts over", []uint64{5, 3}, []string{"", "?5", "", "?3"}},
		{"0 counts as 1", []uint64{0}, []string{"", "?1", "?1"}},
		{"down to 0", []uint64{5, 0}, []string{"", "?5", "", "?1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := startFake(t)
				asked := 0
				f.breakWith(on("catalog/services", func(w http.ResponseWriter, _ *http.Request) {
					writeAnswer(w, c.indexes[min(asked, len(c.indexes)-1)], []byte("{}"))
					asked++
				}))
				listen(t, f.open(t, "{}"))
				pass(10 * time.Second)
				got := f.calls()
				got = got[:min(len(got), len(c.want))]
				want := slices.Clone(c.want)
				for i := range want {
					want[i] = "catalog/services" + want[i]
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("calls (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestWatchBacksOffAndRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := startFake(t)
		f.set("orders", instance("orders", "orders-1", 1))
		e := listen(t, f.open(t, "{}"))
		pass(10 * time.Second)
		e.heard()
		f.calls()

		f.breakWith(on("catalog", status(500, "No cluster leader")))
		f.set("orders", instance("orders", "orders-1", 2)) // ends the blocking queries
		pass(time.Hour)
		// Two queries, each 1+2+...+128 s and then every 3 minutes, off by up to a quarter.
		if n := len(f.calls()); n < 2*22 || n > 2*36 {
			t.Errorf("%d calls in an hour of failures", n)
		}
		f.breakWith(nil)
		pass(4 * time.Minute)
		if got := e.heard(); len(got) == 0 || !strings.Contains(strings.Join(got, " "), "orders") {
			t.Errorf("what moved during the failures was told as %q", got)
		}
		for _, call := range f.calls() {
			if !strings.Contains(call, "?") {
				return
			}
		}
		t.Error("after a failure no query started over at 0")
	})
}

func TestWatchOutlivesServerThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := startFake(t)
		f.breakWith(on("catalog/services", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
		listen(t, f.open(t, "{}"))
		pass(time.Minute + 4*time.Second) // Consul adds up to a sixteenth to the minute that was asked for
		if got := f.calls(); len(got) != 1 {
			t.Errorf("%d calls within the wait and its sixteenth; the first is still good", len(got))
		}
		pass(time.Minute)
		if got := f.calls(); len(got) != 1 {
			t.Errorf("%d more calls; one is wanted after the first timed out", len(got))
		}
	})
}

func TestWatchIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := startFake(t)
		f.set("orders", instance("orders", "orders-1", 1))
		f.set("users", instance("users", "users-1", 1))
		pool := consul.NewPool()
		first := listen(t, f.openIn(t, pool, `{"services": ["orders"]}`))
		pass(10 * time.Second)
		first.heard()
		f.calls()
		second := listen(t, f.openIn(t, pool, `{"services": ["orders", "users"]}`))
		pass(5 * time.Second)
		if got, want := f.calls(), []string{"catalog/service/users"}; !slices.Equal(got[:1], want) || len(got) != 2 {
			t.Errorf("a second watch asked for %q; only %q is new", got, want)
		}
		if got := strings.Join(second.heard(), " "); strings.Count(got, "orders") != 1 || strings.Count(got, "users") != 1 {
			t.Errorf("a second watch began with %q", got)
		}
		wantHeard(t, first)

		first.stop()
		pass(time.Second)
		f.calls()
		f.set("orders", instance("orders", "orders-1", 2))
		wantHeard(t, second, "6s orders")
		second.stop()
		pass(time.Second)
		f.calls()
		f.set("orders", instance("orders", "orders-1", 3))
		pass(10 * time.Minute)
		if got := f.calls(); len(got) > 0 {
			t.Errorf("with nobody listening %q was asked for", got)
		}
		third := listen(t, f.openIn(t, pool, `{"services": ["orders"]}`))
		pass(time.Second)
		wantHeard(t, third, "0s orders")
	})
}

func TestWatchServicesBoundsQueries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := startFake(t)
		for i := range 5 {
			name := fmt.Sprintf("db-%d", i)
			f.set(name, instance(name, name, 1))
		}
		e := listen(t, f.open(t, `{"watch_services": 2}`))
		pass(5 * time.Second)
		services := map[string]bool{}
		for _, call := range f.calls() {
			if name, ok := strings.CutPrefix(call, "catalog/service/"); ok {
				services[strings.Split(name, "?")[0]] = true
			}
		}
		if len(services) != 2 {
			t.Errorf("watched are %v; two are wanted", services)
		}
		if got := strings.Join(e.heard(), " "); strings.Count(got, "db-") < 5 {
			t.Errorf("the watch began with %q; the unwatched belong to it too", got)
		}
	})
}

func TestWatchPacesTheList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := startFake(t)
		listen(t, f.open(t, `{"services": ["none"]}`))
		pass(10 * time.Second)
		f.calls()
		for i := range 1000 {
			f.set("busy", instance("busy", "busy", i))
			pass(10 * time.Millisecond)
		}
		if n := len(f.calls()); n > 16 {
			t.Errorf("%d lists in 10 s of registrations; about one a second is wanted", n)
		}
	})
}
