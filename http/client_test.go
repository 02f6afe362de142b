package httpd_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

// through is a client whose requests go straight to a handler.
type through struct {
	http.Handler
	seen *http.Request
}

func (h *through) RoundTrip(r *http.Request) (*http.Response, error) {
	h.seen = r
	body := r.Body
	if body == nil {
		body = http.NoBody
	}
	in := r.Clone(r.Context())
	in.Body, in.RequestURI, in.RemoteAddr = body, r.URL.RequestURI(), "192.0.2.9:1"
	w := &recorder{header: http.Header{}, status: http.StatusOK}
	h.ServeHTTP(w, in)
	return &http.Response{
		StatusCode: w.status, Status: http.StatusText(w.status), Header: w.header, Request: r,
		Body: io.NopCloser(strings.NewReader(w.body.String())), ProtoMajor: 1, ProtoMinor: 1,
	}, nil
}

type recorder struct {
	header http.Header
	status int
	body   strings.Builder
}

func (w *recorder) Header() http.Header         { return w.header }
func (w *recorder) WriteHeader(status int)      { w.status = status }
func (w *recorder) Write(p []byte) (int, error) { return w.body.Write(p) }

func (f *face) client(t *testing.T) (*httpd.Client, *through) {
	t.Helper()
	way := &through{Handler: f.server.Handler()}
	c, err := httpd.NewClient(httpd.ClientConfig{Address: "127.0.0.1:8650", Token: "secret", HTTP: &http.Client{Transport: way}})
	if err != nil {
		t.Fatal(err)
	}
	return c, way
}

// ok is a value whose call must succeed.
func ok[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func read[T any](t *testing.T) func(T, httpd.ReadMeta, error) T {
	return func(v T, m httpd.ReadMeta, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		if m.Index == 0 || m.Epoch != "e1" || !m.KnownLeader || m.LastContact != 7*time.Millisecond {
			t.Errorf("meta is %+v", m)
		}
		return v
	}
}

func TestClientReads(t *testing.T) {
	f := newFace(t)
	f.fleet()
	c, way := f.client(t)
	ctx := t.Context()
	if p := ok[httpd.Page[httpd.ClusterRow]](t)(c.Clusters(ctx, httpd.List{Limit: 1})); len(p.Rows) != 1 || p.Next != "carts" || p.Index == 0 {
		t.Errorf("clusters are %+v", p)
	}
	if got := way.seen.Header.Get("X-Muster-Token"); got != "secret" || strings.Contains(way.seen.URL.String(), "secret") {
		t.Errorf("token %q went to %s", got, way.seen.URL)
	}
	want := into[httpd.ClusterDetail](f.get("/v1/cluster/orders"), http.StatusOK)
	if diff := cmp.Diff(want, read[httpd.ClusterDetail](t)(c.Cluster(ctx, "orders", httpd.Read{Stale: true}))); diff != "" {
		t.Errorf("cluster (-want +got):\n%s", diff)
	}
	if n := read[httpd.NodeRow](t)(c.Node(ctx, fsm.NodeRef{Cluster: "orders", Node: "a/b"}, httpd.Read{})); n.ID != "a/b" {
		t.Errorf("node is %+v", n)
	}
	if p := ok[httpd.Page[httpd.NodeRow]](t)(c.ClusterNodes(ctx, "orders", httpd.List{Filter: `kind == "redis"`})); len(p.Rows) != 2 {
		t.Errorf("nodes are %+v", p.Rows)
	}
	if all := ok[[]httpd.NodeRow](t)(httpd.All(ctx, httpd.List{Limit: 1}, c.Nodes)); len(all) != 4 {
		t.Errorf("all nodes are %d", len(all))
	}
	if p := ok[httpd.Page[httpd.ShardRow]](t)(c.Shards(ctx, "orders", httpd.List{})); len(p.Rows) != 1 {
		t.Errorf("shards are %+v", p.Rows)
	}
	if e := read[httpd.Effective](t)(c.Effective(ctx, "orders", "orders-1", httpd.Read{})); e.Node != "orders-1" {
		t.Errorf("effective is %+v", e)
	}
	if p := ok[httpd.Page[httpd.DiscoveryRow]](t)(c.Discoveries(ctx, httpd.List{})); len(p.Rows) != 1 {
		t.Errorf("discoveries are %+v", p.Rows)
	}
	if d := read[httpd.DiscoveryRow](t)(c.Discovery(ctx, "prod", httpd.Read{})); !d.Spec().Equal(f.state.Read().Discovery("prod").Spec) {
		t.Errorf("discovery is %+v", d)
	}
	if p := ok[httpd.Page[httpd.ClaimRow]](t)(c.Claims(ctx, httpd.List{})); len(p.Rows) != 0 {
		t.Errorf("claims are %+v", p.Rows)
	}
	if s := read[fsm.Settings](t)(c.Settings(ctx, httpd.Read{})); s.Voters != 5 {
		t.Errorf("settings are %+v", s)
	}
	if p := ok[httpd.Page[httpd.Event]](t)(c.Events(ctx, httpd.EventsQuery{Type: "node.*", Cluster: "orders", Since: "1h"}, 2)); len(p.Rows) != 2 || p.Next == "" {
		t.Errorf("events are %+v", p)
	}
	if p := ok[httpd.Page[httpd.Event]](t)(c.Events(ctx, httpd.EventsQuery{Audit: true, Node: "none", After: "e1:0"}, 0)); len(p.Rows) != 0 {
		t.Errorf("events are %+v", p)
	}
	f.reports = []fsm.Report{up("orders-1", fsm.RolePrimary)}
	if l := ok[[]httpd.LiveNode](t)(c.LiveCluster(ctx, "orders")); len(l) != 1 || l[0].View == nil {
		t.Errorf("live is %+v", l)
	}
}

func TestClientWrites(t *testing.T) {
	f := newFace(t)
	f.fleet()
	c, _ := f.client(t)
	ctx := t.Context()
	spec := f.state.Read().Discovery("prod").Spec
	spec.Interval = 2 * fsm.Minute
	at := f.state.Read().Discovery("prod").Index
	if a := ok[httpd.Ack](t)(c.PutDiscovery(ctx, "prod", spec, &at)); !a.Changed || !f.state.Read().Discovery("prod").Spec.Equal(spec) {
		t.Errorf("put is %+v", a)
	}
	if a := ok[httpd.Ack](t)(c.PatchCluster(ctx, "orders", map[string]any{"group": "g"}, nil)); !a.Changed {
		t.Errorf("patch is %+v", a)
	}
	ref := fsm.NodeRef{Cluster: "orders", Node: "a/b"}
	if a := ok[httpd.Ack](t)(c.PatchNode(ctx, ref, map[string]any{"labels": map[string]any{"x": "y"}}, nil)); !a.Changed {
		t.Errorf("patch is %+v", a)
	}
	m := httpd.Transition{To: fsm.Maintenance, Nodes: []string{ref.String()}}
	if a := ok[httpd.Transitioned](t)(c.Transition(ctx, m)); !slices.Equal(a.Moved, []string{"orders/a/b"}) {
		t.Errorf("transition is %+v", a)
	}
	if a := ok[httpd.Ack](t)(c.PutSettings(ctx, map[string]any{"voters": 3}, nil)); !a.Changed {
		t.Errorf("settings are %+v", a)
	}
	claim := ok[httpd.ClaimRow](t)(c.RefreshCluster(ctx, "orders"))
	_, err := c.RefreshCluster(ctx, "orders")
	var status *httpd.StatusError
	if !errors.As(err, &status) || status.Status != http.StatusConflict || !errors.Is(err, fsm.ErrClaimed) || !cmp.Equal(&claim, status.Claim) {
		t.Errorf("a second refresh is refused with %v", err)
	}
	if r := ok[httpd.ClaimRow](t)(c.RunDiscovery(ctx, "prod")); r.Subject.Name != "prod" {
		t.Errorf("run is %+v", r)
	}
	if _, err := c.ReleaseHeld(ctx, "prod", "h"); !errors.Is(err, fsm.ErrConflict) {
		t.Errorf("release is refused with %v", err)
	}
	if p := ok[httpd.Preview](t)(c.PreviewStored(ctx, "prod")); p.Added == nil {
		t.Errorf("preview is %+v", p)
	}
	if p := ok[httpd.Preview](t)(c.PreviewPosted(ctx, httpd.PreviewRequest{Name: "x", Spec: spec})); p.Added == nil {
		t.Errorf("preview is %+v", p)
	}
	if a := ok[httpd.Ack](t)(c.DeleteDiscovery(ctx, "prod", nil)); !a.Changed {
		t.Errorf("delete is %+v", a)
	}
	if _, err := c.DeleteCluster(ctx, "orders", nil); !errors.Is(err, fsm.ErrConflict) {
		t.Errorf("delete is refused with %v", err)
	}
}

func TestClientGroup(t *testing.T) {
	f := newFace(t)
	c, _ := f.client(t)
	ctx := t.Context()
	if l := ok[string](t)(c.Leader(ctx)); l != "127.0.0.1:8651" {
		t.Errorf("leader is %q", l)
	}
	if p := ok[[]string](t)(c.Peers(ctx)); len(p) != 1 {
		t.Errorf("peers are %v", p)
	}
	if s := ok[httpd.Self](t)(c.Self(ctx)); s.Member.ID != "p1" {
		t.Errorf("self is %+v", s)
	}
	if m := ok[[]httpd.Member](t)(c.Members(ctx)); len(m) != 2 {
		t.Errorf("members are %+v", m)
	}
	if r := ok[httpd.RaftConfiguration](t)(c.RaftConfiguration(ctx, httpd.Read{})); len(r.Servers) != 1 {
		t.Errorf("configuration is %+v", r)
	}
	f.checks = []httpd.Check{{Name: "leader", Err: errors.New("no leader")}, {Name: "log_store", Restart: true}}
	leader := httpd.CheckRow{Name: "leader", Status: "failing", Reason: "no leader"}
	store := httpd.CheckRow{Name: "log_store", Status: "ok"}
	r := ok[httpd.Readiness](t)(c.Ready(ctx))
	if !slices.Equal(r.Reasons, []string{"no leader"}) || !slices.Equal(r.Checks, []httpd.CheckRow{leader, store}) {
		t.Errorf("ready is %+v", r)
	}
	if r := ok[httpd.Readiness](t)(c.Live(ctx)); r.Status != "ok" || !slices.Equal(r.Checks, []httpd.CheckRow{store}) {
		t.Errorf("live is %+v", r)
	}
	f.apply(&fsm.PeerSet{Peer: fsm.Peer{ID: "p2", Name: "peer-b", Status: fsm.PeerGone}})
	for _, err := range []error{
		c.Join(ctx, "10.0.0.2:8651"), reloaded(c.Reload(ctx)), c.ForceLeave(ctx, "peer-b"), c.RemovePeer(ctx, "p1"),
		c.TransferLeader(ctx, ""), c.TransferLeader(ctx, "p1"), c.Leave(ctx),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	want := []string{"join 10.0.0.2:8651", "reload", "force-leave peer-b", "remove p1", "transfer ", "transfer p1", "leave"}
	if !slices.Equal(f.acts, want) {
		t.Errorf("acts are %q", f.acts)
	}
	_, err := c.PutSettings(ctx, map[string]any{"voterz": 3}, nil)
	var e *fsm.Error
	if !errors.As(err, &e) || e.Fields["voterz"] == "" || !errors.Is(err, fsm.ErrInvalid) {
		t.Errorf("refused with %v", err)
	}
}

// reloaded is the error of a reload, or what is wrong with its answer.
func reloaded(got httpd.Reloaded, err error) error {
	if err == nil && !slices.Equal(got.Files, []string{"a.hcl"}) {
		return fmt.Errorf("reloaded is %+v", got)
	}
	return err
}

func TestClientAddresses(t *testing.T) {
	for address, good := range map[string]bool{
		"127.0.0.1:8650": true, "http://a": true, "https://a:1/": true, "": false, "ftp://a": false, "http://": false,
	} {
		if _, err := httpd.NewClient(httpd.ClientConfig{Address: address}); (err == nil) != good {
			t.Errorf("%q: %v", address, err)
		}
	}
}

func TestClientReadsForeignErrors(t *testing.T) {
	for status, code := range map[int]fsm.Code{
		502: fsm.CodeUnknown, 503: fsm.CodeUnavailable, 504: fsm.CodeUnknown, 404: fsm.CodeNotFound, 401: httpd.CodeUnauthorized,
		409: fsm.CodeConflict, 418: httpd.CodeInternal,
	} {
		way := &through{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "<html>", status) })}
		c, err := httpd.NewClient(httpd.ClientConfig{Address: "proxy:80", HTTP: &http.Client{Transport: way}})
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Leader(t.Context())
		var got *httpd.StatusError
		if !errors.As(err, &got) || got.Status != status || got.Refusal.Code != code {
			t.Errorf("status %d is read as %v", status, err)
		}
	}
}

func TestClientBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFace(t)
		c, _ := f.client(t)
		began := time.Now()
		p := ok[httpd.Page[httpd.ClusterRow]](t)(c.Clusters(t.Context(), httpd.List{Read: httpd.Read{Index: 1, Wait: 9 * time.Minute}}))
		if took := time.Since(began); took < 9*time.Minute || p.Index != 1 {
			t.Errorf("index %d after %s", p.Index, took)
		}
	})
}

func TestClientFollowReconnects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFace(t)
		f.fleet()
		total := f.state.Read().Meta().Seq
		ln := newPipes()
		cut := &cutting{next: ln.client().Transport, after: 3000}
		c, err := httpd.NewClient(httpd.ClientConfig{Address: "a:1", HTTP: &http.Client{Transport: cut}})
		if err != nil {
			t.Fatal(err)
		}
		f.run(t, ln)
		ctx, cancel := context.WithCancel(t.Context())
		var got []uint64
		err = c.Follow(ctx, httpd.EventsQuery{}, func(e httpd.Event) error {
			if got = append(got, e.Seq); e.Seq == total {
				cancel()
			}
			return nil
		})
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		for i, seq := range got {
			if seq != uint64(i)+1 {
				t.Fatalf("event %d came where %d was due", seq, i+1)
			}
		}
		if cut.requests < 3 {
			t.Errorf("%d connections; the test cuts none", cut.requests)
		}
	})
}

func TestClientFollowStaysWithAQuietPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFace(t)
		ln := newPipes()
		f.run(t, ln)
		way := &cutting{next: ln.client().Transport, after: 1 << 20}
		c, err := httpd.NewClient(httpd.ClientConfig{Address: "a:1", HTTP: &http.Client{Transport: way}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if err := c.Follow(ctx, httpd.EventsQuery{After: "now"}, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		if way.requests != 1 {
			t.Errorf("%d connections in a quiet hour", way.requests)
		}
	})
}

// cutting breaks each connection after so many bytes of an answer.
type cutting struct {
	next     http.RoundTripper
	after    int64
	requests int
}

func (c *cutting) RoundTrip(r *http.Request) (*http.Response, error) {
	c.requests++
	res, err := c.next.RoundTrip(r)
	if err == nil {
		res.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(res.Body, c.after), res.Body}
	}
	return res, err
}

func TestClientFollowFailsAtFirst(t *testing.T) {
	ln := newPipes()
	ln.Close()
	c, err := httpd.NewClient(httpd.ClientConfig{Address: "a:1", HTTP: ln.client()})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Follow(t.Context(), httpd.EventsQuery{}, nil); !errors.Is(err, net.ErrClosed) {
		t.Errorf("nobody serves, and following ends with %v", err)
	}
}

func TestClientFollowEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFace(t)
		f.fleet()
		ln := newPipes()
		f.run(t, ln)
		c, err := httpd.NewClient(httpd.ClientConfig{Address: "a:1", HTTP: ln.client()})
		if err != nil {
			t.Fatal(err)
		}
		full := errors.New("the disk is full")
		if err := c.Follow(t.Context(), httpd.EventsQuery{}, func(httpd.Event) error { return full }); !errors.Is(err, full) {
			t.Errorf("a function that fails ends it with %v", err)
		}
		f.apply(&fsm.EventsTrim{First: 10})
		err = c.Follow(t.Context(), httpd.EventsQuery{After: "e1:2"}, func(httpd.Event) error { return nil })
		var e *fsm.Error
		if !errors.As(err, &e) || e.Code != fsm.CodeGone || e.Fields["oldest"] != "e1:9" {
			t.Errorf("a cursor that is too old ends it with %v", err)
		}
		began := make(chan struct{})
		done := make(chan error, 1)
		go func() {
			first := true
			done <- c.Follow(t.Context(), httpd.EventsQuery{}, func(httpd.Event) error {
				if first {
					close(began)
				}
				first = false
				return nil
			})
		}()
		<-began
		synctest.Wait()
		if err := f.state.Restore(otherGroup(t)); err != nil {
			t.Fatal(err)
		}
		if err := <-done; !errors.Is(err, fsm.ErrGone) {
			t.Errorf("a restore that cut the cursor off ends it with %v", err)
		}
	})
}

// silent is a peer that sends one heartbeat and then nothing.
type silent struct{ requests int }

func (s *silent) RoundTrip(r *http.Request) (*http.Response, error) {
	s.requests++
	from, to := io.Pipe()
	go func() {
		_, err := io.WriteString(to, `{"type":"heartbeat","cursor":"e1:1"}`+"\n")
		<-r.Context().Done()
		to.CloseWithError(errors.Join(err, r.Context().Err()))
	}()
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: from, Request: r}, nil
}

func TestClientFollowLeavesASilentPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		way := &silent{}
		c, err := httpd.NewClient(httpd.ClientConfig{Address: "a:1", HTTP: &http.Client{Transport: way}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		if err := c.Follow(ctx, httpd.EventsQuery{}, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		if way.requests != 3 {
			t.Errorf("%d connections in two minutes of silence, want 3", way.requests)
		}
	})
}
