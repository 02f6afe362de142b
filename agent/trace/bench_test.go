package trace_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/musterhq/muster/agent/trace"
	"github.com/musterhq/muster/fsm"
)

// BenchmarkRefresh is what the spans of a refresh cost its peers beside the refresh itself, sending them apart: off, on where it is
// outside of the share, and followed.
func BenchmarkRefresh(b *testing.B) {
	for name, c := range map[string]trace.Config{
		"off": {}, "outside": {Endpoint: "http://127.0.0.1:1"}, "followed": {Endpoint: "http://127.0.0.1:1", Ratio: 1},
	} {
		b.Run(name, func(b *testing.B) {
			t, err := trace.New(b.Context(), trace.Options{
				Config: c, Peer: "a", GroupID: func() string { return "01JD" }, Log: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(),
			})
			if err != nil {
				b.Fatal(err)
			}
			claim := &fsm.Claim{Subject: fsm.Subject{Kind: fsm.KindRefresh, ID: 7}, Peer: "01JDB", Reason: fsm.WhyDue}
			sent := http.Header{}
			b.ReportAllocs()
			for b.Loop() {
				claim.Token++
				refresh(b.Context(), t, claim, sent)
			}
		})
	}
}

// refresh begins and ends all spans of a refresh, at the peer that leads and the one that holds its claim.
func refresh(ctx context.Context, t *trace.Tracer, c *fsm.Claim, sent http.Header) {
	ctx, work := t.Claim(ctx, "refresh", c)
	work.Set("muster.cluster", "orders")
	_, poll := t.Step(ctx, "poll")
	for _, key := range []string{"muster.nodes", "muster.nodes.answered", "muster.nodes.unreachable"} {
		poll.Count(key, 10)
	}
	poll.End(nil)
	ctx, complete := t.Step(ctx, "complete")
	ctx, propose := t.Step(ctx, "propose")
	propose.Set("muster.command", "refresh.unchanged")
	t.Inject(ctx, sent)
	_, commit := t.Step(ctx, "commit")
	commit.Count("muster.entry", 1<<40)
	for _, s := range []trace.Step{commit, propose, complete, work} {
		s.End(nil)
	}
}

// BenchmarkSend is what it costs to send the spans of a refresh, a batch of a hundred refreshes at a time, with what it takes to receive them.
func BenchmarkSend(b *testing.B) {
	var bytes atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		bytes.Add(n)
	}))
	defer s.Close()
	sent := http.Header{}
	b.ReportAllocs()
	refreshes := 0
	for b.Loop() {
		t, err := trace.New(b.Context(), trace.Options{
			Config: trace.Config{Endpoint: s.URL, Ratio: 1}, Peer: "a", GroupID: func() string { return "01JD" },
			Log: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(),
		})
		if err != nil {
			b.Fatal(err)
		}
		for range 100 {
			refreshes++
			refresh(b.Context(), t, &fsm.Claim{Token: uint64(refreshes), Reason: fsm.WhyDue}, sent)
		}
		ctx, stop := context.WithCancel(b.Context())
		stop()
		if err := t.Run(ctx); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(bytes.Load())/float64(refreshes), "bytes/refresh")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(refreshes), "ns/refresh")
}
