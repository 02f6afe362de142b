package refresh_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

// settled answers at once: with the same report, or by a tag with nothing.
type settled struct{ tags bool }

func (settled) Close() {}

func (s settled) Probe(ctx context.Context, t refresh.Target) fsm.Report {
	return s.ProbeIf(ctx, t, "").Report
}

func (s settled) ProbeIf(_ context.Context, t refresh.Target, etag string) refresh.Answer {
	if etag != "" {
		return refresh.Answer{Report: fsm.Report{Node: t.Node}, ETag: etag, NotModified: true}
	}
	a := refresh.Answer{Report: fsm.Report{
		Node: t.Node, Reachable: true, State: fsm.StateUp, Kind: "redis", Version: "7.0.15",
		Attributes: map[string]string{"zone": "z", "rack": "r"},
		Shards:     []fsm.Shard{{ID: "0", Role: fsm.RoleReplica}},
	}}
	if s.tags {
		a.ETag = "t"
	}
	return a
}

// BenchmarkRound is an unchanged round of ten nodes beside the polls themselves.
func BenchmarkRound(b *testing.B) {
	for _, tags := range []bool{true, false} {
		b.Run(fmt.Sprintf("tags=%v", tags), func(b *testing.B) {
			d := &desk{leader: lead(b, 1000, "a"), closed: make(chan struct{})}
			id := d.read(10)[0]
			w, err := refresh.NewWorker(refresh.WorkerConfig{
				Claims: d, Log: d, Replica: d, Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(),
				Probers: refresh.Probers{Kinds: map[string]refresh.Maker{
					"sidecar": func(fsm.JSON, refresh.Env) (refresh.Asker, error) { return settled{tags}, nil },
				}},
			})
			if err != nil {
				b.Fatal(err)
			}
			grant := &fsm.ClaimGrant{Kind: fsm.KindRefresh, Peer: "a", TTL: fsm.Minute, Reason: fsm.WhyDue, IDs: []uint64{id}}
			w.Refresh(b.Context(), d.apply(grant).Results[0].Claim)
			claim := d.apply(grant).Results[0].Claim
			w.Refresh(b.Context(), claim)
			b.ReportAllocs()
			for b.Loop() {
				if w.Refresh(b.Context(), claim) == nil {
					b.Fatal("the round is not unchanged")
				}
			}
		})
	}
}
