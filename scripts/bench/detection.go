package main

import (
	"context"
	"flag"
	"fmt"
	"time"

	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

// detection measures how soon what happens is an event: a registration in Consul, a node that stops, one that falls silent;
// and whether silent nodes delay the others.
type detection struct {
	registrations int
	clusters      int
	interval      time.Duration
	timeout       time.Duration
	rounds        int
}

func (s *detection) flags(f *flag.FlagSet) {
	f.IntVar(&s.registrations, "registrations", 120, "`N` instances registered in Consul")
	f.IntVar(&s.clusters, "detection-clusters", 100, "`N` clusters: a third of them loses a node, a third has one fall silent")
	f.DurationVar(&s.interval, "detection-interval", 5*time.Second, "`TIME` between two refreshes of a cluster")
	f.DurationVar(&s.timeout, "detection-timeout", time.Second, "`TIME` that a poll may take")
	f.IntVar(&s.rounds, "detection-rounds", 6, "`N` intervals in which the schedule is watched")
}

func (s *detection) run(ctx context.Context, b *bench, out *result) error {
	if err := s.consul(ctx, b, out); err != nil {
		return err
	}
	r, err := b.rig(ctx)
	if err != nil {
		return err
	}
	f, err := b.fleet(ctx, r, s.clusters)
	if err != nil {
		return err
	}
	g, err := b.group(ctx, r)
	if err != nil {
		return err
	}
	err = g.refreshes(ctx, f, s.interval, func(spec *fsm.Spec) { spec.Refresh.Timeout = fsm.DurationOf(s.timeout) })
	if err != nil {
		return err
	}
	if !wait(ctx, b.warmup) {
		return context.Cause(ctx)
	}
	if err := s.losses(ctx, g, f, out); err != nil {
		return err
	}
	return s.schedule(ctx, g, f, out)
}

// node is the last node of a cluster of the fleet, which is a replica.
func (s *detection) node(f *fleet, i int) (cluster, node string) {
	cluster = fmt.Sprintf("fleet-%05d", i)
	return cluster, fmt.Sprintf("%s-%d", cluster, f.nodes-1)
}

// losses stops one node in each cluster of the first third and silences one in each of the second, at times spread over some
// intervals, and waits for the events at a follower.
func (s *detection) losses(ctx context.Context, g *group, f *fleet, out *result) error {
	step("stopping and silencing nodes")
	p, err := g.follower(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	seen := follow(ctx, p, string(fsm.NodeUnreachable))
	verbs, third := []string{"stop", "silent"}, s.clusters/3
	took := map[string][]float64{}
	at := make([]time.Time, 2*third)
	for i := range at {
		at[i] = time.Now()
		cluster, node := s.node(f, i)
		if err := f.act(ctx, verbs[i%2], cluster, node); err != nil {
			return err
		}
		if !wait(ctx, 3*s.interval/time.Duration(len(at))) {
			return context.Cause(ctx)
		}
	}
	for i, began := range at {
		_, node := s.node(f, i)
		came, err := seen.await(ctx, sighting{fsm.NodeUnreachable, node})
		if err != nil {
			return err
		}
		verb := verbs[i%2]
		took[verb] = append(took[verb], (came.Sub(began) - s.interval).Seconds())
	}
	const note = "beyond the interval; negative where the node was asked sooner"
	out.spread(figure{Name: "a node refuses: to node.unreachable", Case: "nodes", Unit: "s", Goal: "<= 1", Note: note}, took["stop"])
	out.spread(figure{
		Name: "a node is silent: to node.unreachable", Case: "nodes", Unit: "s", Note: note,
		Goal: fmt.Sprintf("<= %g", (2*s.timeout + time.Second).Seconds()),
	}, took["silent"])
	return nil
}

// schedule watches the rounds of all clusters while all nodes answer, and again with one silent node in each.
func (s *detection) schedule(ctx context.Context, g *group, f *fleet, out *result) error {
	cases := []struct{ column, verb string }{{"all answer", "start"}, {"one silent in each", "silent"}}
	for _, c := range cases {
		step("watching the schedule: " + c.column)
		for i := range s.clusters {
			cluster, node := s.node(f, i)
			if err := f.act(ctx, c.verb, cluster, node); err != nil {
				return err
			}
		}
		if !wait(ctx, 3*s.interval+2*s.timeout) { // by then every cluster has found out
			return context.Cause(ctx)
		}
		gaps, lags, err := s.watch(ctx, g)
		if err != nil {
			return err
		}
		out.spread(figure{
			Name: "between two rounds of a cluster", Case: c.column, Unit: "s",
			Note: fmt.Sprintf("at an interval of %s and a timeout of %s", s.interval, s.timeout),
		}, gaps)
		out.spread(figure{Name: "from a round's begin to its view", Case: c.column, Unit: "s"}, lags)
	}
	return nil
}

// watch looks at the views for some intervals, and says how far apart the rounds of each cluster came and how old a round
// was when its view was first seen.
func (s *detection) watch(ctx context.Context, g *group) (gaps, lags []float64, err error) {
	const every = 100 * time.Millisecond
	last := map[string]time.Time{}
	for end := time.Now().Add(time.Duration(s.rounds) * s.interval); time.Now().Before(end); {
		err := g.clusters(ctx, func(c httpd.ClusterRow) {
			at := c.RefreshedAt.Std()
			before, known := last[c.Name]
			last[c.Name] = at
			if !known || at.Equal(before) {
				return
			}
			gaps, lags = append(gaps, at.Sub(before).Seconds()), append(lags, time.Since(at).Seconds())
		})
		if err != nil {
			return nil, nil, err
		}
		if !wait(ctx, every) {
			return nil, nil, context.Cause(ctx)
		}
	}
	return gaps, lags, nil
}
