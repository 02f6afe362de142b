package trace_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/musterhq/muster/agent/trace"
	"github.com/musterhq/muster/agent/trace/tracetest"
	"github.com/musterhq/muster/fsm"
)

// peer is a tracer, as one peer has it, and what sends its spans.
type peer struct {
	*trace.Tracer
	reg  *prometheus.Registry
	said *strings.Builder
	stop func()
}

// start makes a peer of a group of two.
func start(t *testing.T, name string, c trace.Config) *peer {
	t.Helper()
	p := &peer{reg: prometheus.NewRegistry(), said: &strings.Builder{}}
	var err error
	p.Tracer, err = trace.New(t.Context(), trace.Options{
		Config: c, Peer: name, Name: name, Group: "muster", GroupID: func() string { return "01JD" }, Version: "1.2.3",
		Log: slog.New(slog.NewTextHandler(p.said, nil)), Registerer: p.reg,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	p.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(p.stop)
	return p
}

// collect is a collector on loopback.
func collect(t *testing.T) (*tracetest.Collector, *httptest.Server) {
	t.Helper()
	c := &tracetest.Collector{}
	s := httptest.NewServer(c)
	t.Cleanup(func() {
		s.Close()
		if err := c.Err(); err != nil {
			t.Error(err)
		}
	})
	return c, s
}

func claim(id, token uint64, why string) *fsm.Claim {
	return &fsm.Claim{Subject: fsm.Subject{Kind: fsm.KindRefresh, ID: id}, Token: token, Peer: "b", Reason: why}
}

// TestAClaimIsOneTrace: the leader's span and the holder's, at two peers that told each other nothing.
func TestAClaimIsOneTrace(t *testing.T) {
	c, s := collect(t)
	a, b := start(t, "a", trace.Config{Endpoint: s.URL, Ratio: 1}), start(t, "b", trace.Config{Endpoint: s.URL, Ratio: 1})
	proposed := time.Now().Add(-time.Minute)
	a.Granted(t.Context(), proposed, []*fsm.Claim{claim(7, 90, fsm.WhyDue), claim(8, 90, fsm.WhyDue)})
	ctx, work := b.Claim(t.Context(), "refresh", claim(7, 90, fsm.WhyDue))
	_, poll := b.Step(ctx, "poll")
	poll.Count("muster.nodes", 3)
	poll.End(nil)
	work.End(nil)
	a.stop()
	b.stop()
	by := map[string]tracetest.Span{}
	for _, s := range c.Spans() {
		by[s.Name+" "+s.Attributes["muster.claim.subject"]] = s
	}
	granted, refresh, polled := by["claim 7"], by["refresh 7"], by["poll "]
	if granted.Parent != "" || refresh.Parent != granted.ID || polled.Parent != refresh.ID || granted.Trace != refresh.Trace ||
		polled.Trace != refresh.Trace || by["claim 8"].Trace == granted.Trace {
		t.Errorf("the spans of two claims: %+v", c.Spans())
	}
	if got := time.Unix(0, int64(granted.Start)); !got.Equal(proposed) {
		t.Errorf("the claim began at %s; it was proposed at %s", got, proposed)
	}
	want := map[string]string{
		"muster.claim.kind": "refresh", "muster.claim.subject": "7", "muster.claim.token": "90", "muster.claim.reason": "due", "muster.claim.peer": "b",
	}
	if diff := cmp.Diff(want, granted.Attributes); diff != "" {
		t.Errorf("what is told of a claim (-want +got):\n%s", diff)
	}
	if granted.Peer != "a" || polled.Peer != "b" || polled.Attributes["muster.nodes"] != "3" {
		t.Errorf("the claim at %s, the polls at %s: %v", granted.Peer, polled.Peer, polled.Attributes)
	}
	if got := testutil.ToFloat64(vector(t, b)); got != 2 {
		t.Errorf("%v spans are counted as sent; they are 2", got)
	}
}

// vector is the counter of spans that a peer's collector took.
func vector(t *testing.T, p *peer) prometheus.Collector { return outcome(t, p, "sent") }

// TestClaimsApart: each claim is a trace of its own, in each group.
func TestClaimsApart(t *testing.T) {
	c, s := collect(t)
	one := start(t, "a", trace.Config{Endpoint: s.URL, Ratio: 1})
	run := &fsm.Claim{Subject: fsm.Subject{Kind: fsm.KindRun, ID: 7}, Token: 90}
	one.Granted(t.Context(), time.Now(), []*fsm.Claim{claim(7, 90, ""), claim(7, 91, ""), claim(8, 90, ""), run})
	one.stop()
	other, err := trace.New(t.Context(), trace.Options{
		Config: trace.Config{Endpoint: s.URL, Ratio: 1}, Peer: "a", GroupID: func() string { return "01JE" },
		Log: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(),
	})
	if err != nil {
		t.Fatal(err)
	}
	other.Granted(t.Context(), time.Now(), []*fsm.Claim{claim(7, 90, "")})
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := other.Run(ctx); err != nil {
		t.Fatal(err)
	}
	traces := map[string]bool{}
	for _, s := range c.Spans() {
		traces[s.Trace] = true
	}
	if len(traces) != 5 {
		t.Errorf("5 claims are %d traces: %+v", len(traces), c.Spans())
	}
}

// TestPeersAgreeOnTheShare without a word between them. What an operator asked for is always in it.
func TestPeersAgreeOnTheShare(t *testing.T) {
	c, s := collect(t)
	a, b := start(t, "a", trace.Config{Endpoint: s.URL, Ratio: 0.25}), start(t, "b", trace.Config{Endpoint: s.URL, Ratio: 0.25})
	const n = 400
	for i := range uint64(n) {
		one := claim(i, 1000+i, fsm.WhyDue)
		a.Granted(t.Context(), time.Now(), []*fsm.Claim{one})
		_, work := b.Claim(t.Context(), "refresh", one)
		work.End(nil)
	}
	a.Follow(0)
	b.Follow(0)
	asked := claim(1, 5000, fsm.WhyAsked)
	a.Granted(t.Context(), time.Now(), []*fsm.Claim{asked, claim(2, 5001, fsm.WhyDue)})
	_, work := b.Claim(t.Context(), "refresh", asked)
	work.End(nil)
	a.stop()
	b.stop()
	seen := map[string][]string{}
	for _, s := range c.Spans() {
		seen[s.Attributes["muster.claim.token"]] = append(seen[s.Attributes["muster.claim.token"]], s.Peer)
	}
	for token, peers := range seen {
		if len(peers) != 2 || peers[0] == peers[1] {
			t.Errorf("claim %s is followed at %v; wanted is both or none", token, peers)
		}
	}
	if len(seen["5000"]) != 2 || len(seen["5001"]) != 0 {
		t.Errorf("with a share of none, what was asked for is followed %d times, what was due %d times", len(seen["5000"]), len(seen["5001"]))
	}
	if got := len(seen) - 1; got < n/5 || got > n*3/10 {
		t.Errorf("%d of %d claims are followed; wanted is a quarter", got, n)
	}
}

const (
	theirs  = "0af7651916cd43dd8448eb211c80319c"
	parent  = "b7ad6b7169203331"
	wanted  = "00-" + theirs + "-" + parent + "-01"
	ignored = "00-" + theirs + "-" + parent + "-00"
)

// TestRequests: who calls decides, and where they do not say, the share.
func TestRequests(t *testing.T) {
	tests := []struct {
		name    string
		ratio   float64
		headers []string
		trace   string // "" is none, "*" is one of our own
	}{
		{"the caller follows it", 0, []string{wanted}, theirs},
		{"the caller does not", 1, []string{ignored}, ""},
		{"the caller says nothing", 1, nil, "*"},
		{"nobody follows it", 0, nil, ""},
		{"what cannot be read", 0, []string{"00-zz"}, ""},
		{"what cannot be read, and all are followed", 1, []string{"00-zz"}, "*"},
		{"no trace", 1, []string{"00-00000000000000000000000000000000-" + parent + "-01"}, "*"},
		{"two of them", 1, []string{wanted, wanted}, "*"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, s := collect(t)
			p := start(t, "a", trace.Config{Endpoint: s.URL, Ratio: tt.ratio})
			ctx, step := p.Request(t.Context(), http.Header{"Traceparent": tt.headers, "Tracestate": {"vendor=" + strings.Repeat("x", 200)}}, "GET /v1/x")
			sent := http.Header{}
			p.Inject(ctx, sent)
			step.End(nil)
			p.stop()
			spans := c.Spans()
			if tt.trace == "" {
				if len(spans) > 0 || len(sent) > 0 {
					t.Errorf("%+v, and the leader is told %v", spans, sent)
				}
				return
			}
			if len(spans) != 1 || tt.trace == theirs && (spans[0].Trace != theirs || spans[0].Parent != parent) || tt.trace == "*" && (spans[0].Trace == theirs || spans[0].Parent != "") {
				t.Fatalf("the spans are %+v", spans)
			}
			want := http.Header{"Traceparent": {"00-" + spans[0].Trace + "-" + spans[0].ID + "-01"}}
			if diff := cmp.Diff(want, sent); diff != "" {
				t.Errorf("what another peer is told (-want +got):\n%s", diff)
			}
		})
	}
}

// TestServe: what a peer asks is followed when that peer says so, and not else, whatever the share.
func TestServe(t *testing.T) {
	c, s := collect(t)
	p := start(t, "a", trace.Config{Endpoint: s.URL, Ratio: 1})
	within := map[string]bool{}
	face := p.Serve(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		sent := http.Header{}
		p.Inject(r.Context(), sent)
		within[r.URL.Path] = len(sent) > 0
	}))
	for path, header := range map[string]string{"/propose": wanted, "/index": ignored, "/hear": ""} {
		r := httptest.NewRequest(http.MethodPost, path, http.NoBody)
		if header != "" {
			r.Header.Set("Traceparent", header)
		}
		face.ServeHTTP(httptest.NewRecorder(), r)
	}
	p.stop()
	spans := c.Spans()
	if len(spans) != 1 || spans[0].Name != "peer /propose" || spans[0].Parent != parent || spans[0].Trace != theirs {
		t.Errorf("the spans are %+v", spans)
	}
	if diff := cmp.Diff(map[string]bool{"/propose": true, "/index": false, "/hear": false}, within); diff != "" {
		t.Errorf("what is done within a step (-want +got):\n%s", diff)
	}
}

// TestTogether: what is done for several steps at once is a part of one, and the others lead there.
func TestTogether(t *testing.T) {
	c, s := collect(t)
	p := start(t, "a", trace.Config{Endpoint: s.URL, Ratio: 0})
	steps := []trace.Step{}
	_, none := p.Claim(t.Context(), "refresh", claim(1, 9, fsm.WhyDue))
	steps = append(steps, none)
	for id := range uint64(3) {
		_, one := p.Claim(t.Context(), "refresh", claim(10+id, 9, fsm.WhyAsked))
		steps = append(steps, one)
	}
	_, propose := p.Step(p.Together(t.Context(), steps), "propose")
	propose.End(nil)
	for _, s := range steps {
		s.End(nil)
	}
	p.stop()
	spans := c.Spans()
	if len(spans) != 4 || spans[0].Parent != spans[1].ID || len(spans[1].Links) != 0 {
		t.Fatalf("the spans are %+v", spans)
	}
	for _, other := range spans[2:] {
		if diff := cmp.Diff([]string{spans[1].Trace}, other.Links); diff != "" {
			t.Errorf("another step links (-want +got):\n%s", diff)
		}
	}
	if ctx := p.Together(t.Context(), steps[:1]); ctx != t.Context() {
		t.Error("what is followed by nobody is done within a step")
	}
}

// TestErrorsAreCodes: the text of an error may hold what somebody typed.
func TestErrorsAreCodes(t *testing.T) {
	c, s := collect(t)
	p := start(t, "a", trace.Config{Endpoint: s.URL, Ratio: 1})
	for _, err := range []error{
		fsm.Errorf(fsm.CodeInvalid, "password %q is short", "canary"), fmt.Errorf("ask canary: %w", context.DeadlineExceeded),
		fmt.Errorf("canary: %w", context.Canceled), errors.New("canary"),
	} {
		_, step := p.Request(t.Context(), http.Header{"Authorization": {"Bearer canary"}}, "PUT /v1/x")
		step.End(err)
	}
	p.stop()
	codes := []string{}
	for _, s := range c.Spans() {
		codes = append(codes, s.Error+" "+s.Attributes["error.type"])
	}
	if diff := cmp.Diff([]string{"invalid invalid", "timeout timeout", "canceled canceled", "error error"}, codes); diff != "" {
		t.Errorf("codes (-want +got):\n%s", diff)
	}
	if strings.Contains(c.Raw(), "canary") {
		t.Error("the collector was told a secret")
	}
}

// TestNothingIsAllocated where nothing is followed: not while traces are off, and not for what is outside of the share.
func TestNothingIsAllocated(t *testing.T) {
	_, s := collect(t)
	on := start(t, "a", trace.Config{Endpoint: s.URL, Ratio: 0})
	one, ctx, steps := claim(7, 90, fsm.WhyDue), t.Context(), []trace.Step{}
	headers, wait := http.Header{}, time.Now()
	for name, tracer := range map[string]*trace.Tracer{"off": nil, "on": on.Tracer} {
		if got := testing.AllocsPerRun(100, func() {
			ctx, step := tracer.Claim(ctx, "refresh", one)
			ctx, part := tracer.Step(ctx, "poll")
			ctx, request := tracer.Request(ctx, headers, "GET")
			tracer.Inject(ctx, headers)
			tracer.Asked(ctx, one)
			tracer.Granted(tracer.Together(ctx, steps), wait, []*fsm.Claim{one})
			request.Count("muster.nodes", 1<<20)
			part.Set("muster.cluster", "orders")
			part.End(nil)
			step.End(io.EOF)
		}); got != 0 {
			t.Errorf("%s: %v allocations", name, got)
		}
	}
}
