package refresh

import (
	"context"
	"fmt"
	"sync"

	"github.com/musterhq/muster/fsm"
)

// round is what the polls of one claim brought, before it is compared.
type round struct {
	cluster uint64
	spec    fsm.RefreshSpec
	reports []fsm.Report
	failed  error // the third party failed: no node changes
	took    fsm.Duration
}

// ask polls the nodes of a claim, all at once: every polled node, or those it lists.
func (w *Worker) ask(ctx context.Context, r *fsm.Reader, cluster *fsm.Cluster, claim *fsm.Claim) *round {
	out := &round{cluster: cluster.ID, spec: r.RefreshOf(cluster)}
	byProber := map[string][]Target{}
	for _, n := range asked(r, claim) {
		kind := n.Endpoint.Probe
		if kind == "" {
			kind = out.spec.Prober
		}
		byProber[kind] = append(byProber[kind], Target{
			Cluster: cluster.Name, Node: n.ID, Address: n.Endpoint.Address, Port: n.Endpoint.Port, Labels: n.Endpoint.Labels,
		})
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for kind, targets := range byProber {
		wg.Go(func() {
			reports, err := w.askAll(ctx, out.cluster, kind, out.spec, targets)
			mu.Lock()
			defer mu.Unlock()
			out.reports = append(out.reports, reports...)
			if err != nil {
				out.failed = err
			}
		})
	}
	wg.Wait()
	return out
}

// asked are the nodes a claim is to ask.
func asked(r *fsm.Reader, claim *fsm.Claim) []*fsm.Node {
	var out []*fsm.Node
	if claim.Reason == fsm.WhyConfirm {
		for _, id := range claim.Names {
			if n := r.Node(claim.Subject.ID, id); n != nil && n.Polled() {
				out = append(out, n)
			}
		}
		return out
	}
	for n := range r.Nodes(claim.Subject.ID) {
		if n.Polled() {
			out = append(out, n)
		}
	}
	return out
}

// askAll polls targets with one prober.
func (w *Worker) askAll(
	ctx context.Context, cluster uint64, kind string, spec fsm.RefreshSpec, targets []Target,
) ([]fsm.Report, error) {
	config := spec.Config
	if kind != spec.Prober {
		config = ""
	}
	asker, done, err := w.askers.use(kind, config, spec.ConnectTimeout.Std())
	if err != nil {
		return nil, fmt.Errorf("prober %s: %w", kind, err)
	}
	defer done()
	ctx, cancel := context.WithTimeout(ctx, spec.Timeout.Std())
	defer cancel()
	if p, ok := asker.(ClusterProber); ok {
		if !w.enter(ctx) {
			return nil, context.Cause(ctx)
		}
		defer w.leave()
		return p.ProbeCluster(ctx, targets)
	}
	reports := make([]fsm.Report, len(targets))
	var wg sync.WaitGroup
	for i, t := range targets {
		wg.Go(func() {
			if !w.enter(ctx) {
				reports[i] = t.Failed(context.Cause(ctx))
				return
			}
			defer w.leave()
			reports[i] = w.askOne(ctx, asker.(Prober), place{cluster, kind, spec.LagLimit}, t)
			w.metrics.count(kind, &reports[i])
		})
	}
	wg.Wait()
	return reports, nil
}

// place is what the polls of one cluster by one prober share.
type place struct {
	cluster  uint64
	kind     string
	lagLimit fsm.Duration
}

// askOne polls one node, conditionally where the prober and what the node said before allow it.
func (w *Worker) askOne(ctx context.Context, p Prober, at place, t Target) fsm.Report {
	cond, ok := p.(Conditional)
	if !ok {
		return p.Probe(ctx, t)
	}
	from := at.kind + " " + t.HostPort()
	before := w.said.of(at.cluster, t.Node, from)
	a := cond.ProbeIf(ctx, t, before.tag)
	if a.NotModified {
		if past(a.WorstLagMS, at.lagLimit) {
			w.said.keep(at.cluster, t.Node, said{})
		}
		return before.report
	}
	if lagging(a.Report, at.lagLimit) {
		a.ETag = ""
	}
	w.said.keep(at.cluster, t.Node, said{from: from, tag: a.ETag, report: a.Report})
	return a.Report
}

// lagging says whether a shard is past the limit: then every poll reads the whole document, since a tag does not cover lag.
func lagging(report fsm.Report, limit fsm.Duration) bool {
	for _, s := range report.Shards {
		if past(s.LagMS, limit) {
			return true
		}
	}
	return false
}

func past(lagMS *int64, limit fsm.Duration) bool {
	return limit > 0 && lagMS != nil && *lagMS >= int64(limit)
}

// enter takes a place among the polls under way; false when ctx ended first.
func (w *Worker) enter(ctx context.Context) bool {
	select {
	case w.polls <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (w *Worker) leave() { <-w.polls }
