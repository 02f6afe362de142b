package refresh_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

// registry is a third party that takes its time.
type registry struct {
	report func(t refresh.Target) fsm.Report
	takes  time.Duration
	failed error
}

func (*registry) Close() {}

// ProbeCluster is refresh.ClusterProber's.
func (p *registry) ProbeCluster(ctx context.Context, targets []refresh.Target) ([]fsm.Report, error) {
	select {
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-time.After(p.takes):
	}
	out := make([]fsm.Report, len(targets))
	for i, t := range targets {
		out[i] = p.report(t)
	}
	return out, p.failed
}

// askedBy has a node of a cluster asked by a prober of its own.
func (b *bench) askedBy(cluster uint64, node, prober string) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.state.Read()
	n := r.Node(cluster, node)
	with := n.Endpoint
	with.Probe = prober
	b.apply(&fsm.ClusterChange{Changes: []fsm.Change{{Cluster: cluster, Base: r.ClusterByID(cluster).Index, Facts: []fsm.Fact{{
		Type: fsm.NodeChanged, Node: node,
		Before: &fsm.ListedPart{Endpoint: n.Endpoint, Sources: n.Sources}, After: &fsm.ListedPart{Endpoint: with, Sources: n.Sources},
	}}}}})
}

// A third party that fails late fails the refresh as well, also where all nodes it would tell of stand unreachable.
func TestThirdPartyFailsLate(t *testing.T) {
	p := &registry{report: func(t refresh.Target) fsm.Report { return fsm.Unreachable(t.Node, fsm.ReasonStore, "") }}
	atWork(t, p, []int{2}, func(t *testing.T, b *bench, ids []uint64) {
		b.respec(func(s *fsm.RefreshSpec) { s.DownAfter = 1 })
		subject := b.grant(ids...)[0].Subject
		b.settle(time.Second)
		p.takes, p.failed = time.Second, errors.New("consul has no leader\n"+strings.Repeat("\x1b", 1<<20))
		for range 3 {
			b.round(ids...)
			if last := b.state.Read().Schedule(subject).Last; last.Outcome != fsm.OutcomeFailed ||
				len(last.Error) > fsm.MaxFailure || !strings.HasPrefix(last.Error, "consul has no leader; ??") {
				t.Errorf("the refresh ended with %+v", last)
			}
		}
	})
}

// Where one node is told of by a third party, what the others say is not told before that has answered: if it fails, no
// node changes.
func TestNothingIsToldBeforeAThirdPartyFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &village{takes: map[string]time.Duration{"n0": silent}}
		p := &registry{report: wellReport}
		b := &bench{leader: lead(t, 100, "a"), claims: make(chan []*fsm.Claim, 1)}
		ids := b.read(3)
		b.askedBy(ids[0], "n2", "registry")
		w, err := refresh.NewWorker(refresh.WorkerConfig{
			Claims: b, Log: b, Replica: b, Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(),
			Probers: refresh.Probers{Kinds: map[string]refresh.Maker{
				"sidecar":  func(fsm.JSON, refresh.Env) (refresh.Asker, error) { return v, nil },
				"registry": func(fsm.JSON, refresh.Env) (refresh.Asker, error) { return p, nil },
			}},
		})
		if err != nil {
			t.Fatal(err)
		}
		running(t, w)
		b.round(ids...)
		v.say("n1", "u", func(r *fsm.Report) { r.State = fsm.StateDown })
		p.failed = errors.New("consul has no leader")
		for _, takes := range []time.Duration{0, time.Second} {
			p.takes = takes
			before := b.state.Read().Meta().Seq
			b.round(ids...)
			r := b.state.Read()
			last := r.Schedule(fsm.Subject{Kind: fsm.KindRefresh, ID: ids[0]}).Last
			if last.Outcome != fsm.OutcomeFailed || r.Meta().Seq != before {
				t.Errorf("failing after %s: %d events, and the refresh ended with %+v", takes, r.Meta().Seq-before, last)
			}
		}
		p.takes, p.failed = 0, nil // it answers again: what the others say does not wait for a silent node
		b.grant(ids...)
		expectFacts(t, b.settle(1500*time.Millisecond), "node.down n1", "cluster.health_changed ")
		b.settle(10 * time.Second)
	})
}

// The time of a third party begins when it has a place among the polls.
func TestThirdPartyWaitsForAPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var open atomic.Int64
		p := &registry{takes: 2 * time.Second, report: func(t refresh.Target) fsm.Report {
			open.Add(1)
			return wellReport(t)
		}}
		b := &bench{leader: lead(t, 100, "a"), claims: make(chan []*fsm.Claim, 1)}
		ids := b.read(1, 1, 1)
		w, err := refresh.NewWorker(refresh.WorkerConfig{
			Claims: b, Log: b, Replica: b, Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(), MaxPolls: 1,
			Probers: refresh.Probers{Kinds: map[string]refresh.Maker{
				"sidecar": func(fsm.JSON, refresh.Env) (refresh.Asker, error) { return p, nil },
			}},
		})
		if err != nil {
			t.Fatal(err)
		}
		running(t, w)
		b.grant(ids...)
		b.settle(10 * time.Second)
		for _, id := range ids {
			if last := b.state.Read().Schedule(fsm.Subject{Kind: fsm.KindRefresh, ID: id}).Last; last.Outcome != fsm.OutcomeChanged {
				t.Errorf("cluster %d: %+v", id, last)
			}
		}
		if n := open.Load(); n != 3 {
			t.Errorf("it was asked for %d nodes", n)
		}
	})
}

// What a third party tells counts for each node; that it does not answer counts once.
func TestThirdPartyIsMeasured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &registry{takes: 2 * time.Second, report: func(t refresh.Target) fsm.Report {
			if t.Node == "n2" {
				return fsm.Unreachable(t.Node, fsm.ReasonRefused, "")
			}
			return wellReport(t)
		}}
		b := &bench{leader: lead(t, 100, "a"), claims: make(chan []*fsm.Claim, 1)}
		ids := b.read(3)
		reg := prometheus.NewRegistry()
		w, err := refresh.NewWorker(refresh.WorkerConfig{
			Claims: b, Log: b, Replica: b, Logger: slog.New(slog.DiscardHandler), Registerer: reg,
			Probers: refresh.Probers{Kinds: map[string]refresh.Maker{
				"sidecar": func(fsm.JSON, refresh.Env) (refresh.Asker, error) { return p, nil },
			}},
		})
		if err != nil {
			t.Fatal(err)
		}
		running(t, w)
		b.round(ids...)
		p.failed = errors.New("consul has no leader")
		b.round(ids...)
		if err := testutil.GatherAndCompare(reg, strings.NewReader(`
# HELP muster_refresh_polls_total Polls by prober and result: ok, or the reason code. A prober that asks one place for all nodes of a cluster counts each node it told of, and as failed each time that place did not answer.
# TYPE muster_refresh_polls_total counter
muster_refresh_polls_total{prober="sidecar",result="connection_refused"} 1
muster_refresh_polls_total{prober="sidecar",result="failed"} 1
muster_refresh_polls_total{prober="sidecar",result="ok"} 2
`), "muster_refresh_polls_total"); err != nil {
			t.Error(err)
		}
		families, err := reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			if f.GetName() != "muster_refresh_poll_duration_seconds" {
				continue
			}
			if h := f.GetMetric()[0].GetHistogram(); h.GetSampleCount() != 2 || h.GetSampleSum() != 4 {
				t.Errorf("%d polls took %v s, want 2 in 4 s", h.GetSampleCount(), h.GetSampleSum())
			}
		}
	})
}
