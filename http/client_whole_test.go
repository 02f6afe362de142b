package httpd_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

// noting notes which route each request goes to, and answers none.
type noting struct {
	t     *testing.T
	found map[string]bool
}

func (n *noting) RoundTrip(r *http.Request) (*http.Response, error) {
	p, err := papers()
	if err != nil {
		n.t.Fatal(err)
	}
	route, _, err := p.router.FindRoute(r)
	if err != nil {
		n.t.Errorf("%s %s: %v", r.Method, r.URL, err)
		return nil, net.ErrClosed
	}
	for name := range r.URL.Query() {
		if route.Operation.Parameters.GetByInAndName("query", name) == nil {
			n.t.Errorf("%s %s does not take %s", r.Method, route.Path, name)
		}
	}
	n.found[r.Method+" "+route.Path] = true
	return nil, net.ErrClosed
}

// TestClientHasEveryRoute calls every method of the client.
func TestClientHasEveryRoute(t *testing.T) {
	way := &noting{t: t, found: map[string]bool{}}
	c, err := httpd.NewClient(httpd.ClientConfig{Address: "a:1", HTTP: &http.Client{Transport: way}})
	if err != nil {
		t.Fatal(err)
	}
	all := reflect.ValueOf(c)
	for _, method := range all.Methods() {
		call(t, method)
	}
	want := newFace(t).server.Routes()
	delete(way.found, "GET /debug/pprof/") // which are not always served
	for route := range want {
		if !way.found[route] {
			t.Errorf("the client has no method for %s", route)
		}
	}
	if len(way.found) != len(want) {
		t.Errorf("the client asks for %d routes, and there are %d", len(way.found), len(want))
	}
}

// call calls a function with what is simplest, and goes through a sequence that it returns.
func call(t *testing.T, f reflect.Value) {
	t.Helper()
	var args []reflect.Value
	for in := range f.Type().Ins() {
		arg := reflect.Zero(in)
		switch v := arg.Interface().(type) {
		case string:
			arg = reflect.ValueOf("x")
		case fsm.NodeRef:
			arg = reflect.ValueOf(fsm.NodeRef{Cluster: "orders", Node: "a/b"})
		case nil:
			if arg.Type() == reflect.TypeFor[context.Context]() {
				arg = reflect.ValueOf(t.Context())
			}
		default:
			_ = v
		}
		args = append(args, arg)
	}
	for _, result := range f.Call(args) {
		if result.Kind() == reflect.Func {
			for range result.Seq2() {
				break
			}
		}
	}
}

// flaky fails so many times in a way before it lets requests through.
type flaky struct {
	next     http.RoundTripper
	fails    int
	with     http.RoundTripper
	requests int
}

func (f *flaky) RoundTrip(r *http.Request) (*http.Response, error) {
	if f.requests++; f.requests <= f.fails {
		return f.with.RoundTrip(r)
	}
	return f.next.RoundTrip(r)
}

func answering(status int, body string) http.RoundTripper {
	return &through{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	})}
}

// failing is a way on which a step fails.
type failing struct{ op, why string }

func (f failing) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, &net.OpError{Op: f.op, Err: errors.New(f.why)}
}

func TestClientRetriesWhatWasSurelyNotDone(t *testing.T) {
	for name, test := range map[string]struct {
		with  http.RoundTripper
		again bool
	}{
		"nobody takes the connection": {failing{"dial", "connection refused"}, true},
		"the connection breaks":       {failing{"read", "connection reset"}, false},
		"no leader":                   {answering(503, `{"error":{"code":"unavailable","message":"no leader"}}`), true},
		"too many requests":           {answering(429, `{"error":{"code":"too_many_requests","message":"too many"}}`), true},
		"an unknown outcome":          {answering(503, `{"error":{"code":"unknown","message":"?","outcome":"unknown"}}`), false},
		"a proxy's word":              {answering(503, `<html>`), false},
		"a refusal":                   {answering(400, `{"error":{"code":"invalid","message":"no"}}`), false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFace(t)
				f.fleet()
				way := &flaky{next: &through{Handler: f.server.Handler()}, fails: 3, with: test.with}
				for _, conf := range []httpd.ClientConfig{{Retry: time.Minute}, {}} {
					conf.Address, conf.HTTP, way.requests = "a:1", &http.Client{Transport: way}, 0
					c, err := httpd.NewClient(conf)
					if err != nil {
						t.Fatal(err)
					}
					_, err = c.PatchCluster(t.Context(), "orders", map[string]any{"group": "g"}, nil)
					want := 1
					if test.again && conf.Retry > 0 {
						want = 4
					}
					if way.requests != want || (err == nil) != (want == 4) {
						t.Errorf("with %s to retry it was sent %d times, want %d: %v", conf.Retry, way.requests, want, err)
					}
				}
			})
		})
	}
}

func TestClientRetriesForSoLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		way := &flaky{fails: 1 << 30, with: answering(503, `{"error":{"code":"unavailable","message":"no leader"}}`)}
		c, err := httpd.NewClient(httpd.ClientConfig{Address: "a:1", HTTP: &http.Client{Transport: way}, Retry: 10 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		_, err = c.Leader(t.Context())
		if took := time.Since(began); !errors.Is(err, fsm.ErrUnavailable) || took < 5*time.Second || took > 10*time.Second {
			t.Errorf("after %s: %v", took, err)
		}
	})
}

func TestClientRowsReadsOnlyWhatIsWanted(t *testing.T) {
	f := newFace(t)
	f.fleet()
	c, _ := f.client(t)
	pages := 0
	read := func(ctx context.Context, o httpd.List) (httpd.Page[httpd.NodeRow], error) {
		pages++
		return c.Nodes(ctx, o)
	}
	var got []string
	for n, err := range httpd.Rows(t.Context(), httpd.List{Limit: 1}, read) {
		if err != nil {
			t.Fatal(err)
		}
		if got = append(got, n.Cluster+"/"+n.ID); len(got) == 2 {
			break
		}
	}
	if want := names(f.get("/v1/nodes?limit=2"), "id"); len(got) != 2 || pages != 2 || !strings.HasSuffix(got[1], want[1]) {
		t.Errorf("%d pages for %v, want %v", pages, got, want)
	}
}

func TestClientFollowing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFace(t)
		f.fleet()
		ln := newPipes()
		f.run(t, ln)
		c, err := httpd.NewClient(httpd.ClientConfig{Address: "a:1", HTTP: ln.client()})
		if err != nil {
			t.Fatal(err)
		}
		var got []uint64
		for e, err := range c.Following(t.Context(), httpd.EventsQuery{}) {
			if err != nil {
				t.Fatal(err)
			}
			if got = append(got, e.Seq); len(got) == 3 {
				break
			}
		}
		if !cmp.Equal(got, []uint64{1, 2, 3}) {
			t.Errorf("events are %v", got)
		}
		f.apply(&fsm.EventsTrim{First: 10})
		var ends []error
		for _, err := range c.Following(t.Context(), httpd.EventsQuery{After: "e1:2"}) {
			ends = append(ends, err)
		}
		if len(ends) != 1 || !errors.Is(ends[0], fsm.ErrGone) {
			t.Errorf("it ends with %v", ends)
		}
	})
}

func TestClientReadsText(t *testing.T) {
	f := newFace(t)
	f.fleet()
	c, _ := f.client(t)
	if d := ok[[]byte](t)(c.Description(t.Context())); !strings.HasPrefix(string(d), `{"components"`) {
		t.Errorf("description is %.80s", d)
	}
	if m := ok[[]byte](t)(c.Metrics(t.Context())); !strings.Contains(string(m), "# HELP muster_http") {
		t.Errorf("metrics are %.80s", m)
	}
	if n := read[[]httpd.Targets](t)(c.Targets(t.Context(), httpd.Read{})); len(n) != 4 {
		t.Errorf("targets are %v", n)
	}
	p := ok[httpd.Page[httpd.Event]](t)(c.ClusterEvents(t.Context(), "orders", httpd.EventsQuery{}, 2))
	if len(p.Rows) != 2 || slices.ContainsFunc(p.Rows, func(e httpd.Event) bool { return e.Cluster != "orders" }) {
		t.Errorf("events are %+v", p.Rows)
	}
}
