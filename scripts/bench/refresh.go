package main

import (
	"context"
	"errors"
	"flag"
	"time"
)

// refresh measures what an unchanged refresh costs: baselines over the fleet, muster, and the baselines again, so that what
// the machine did meanwhile shows in their difference.
type refresh struct {
	clusters int
	interval time.Duration
}

func (r *refresh) flags(f *flag.FlagSet) {
	f.IntVar(&r.clusters, "clusters", 1000, "`N` clusters")
	f.DurationVar(&r.interval, "interval", 10*time.Second, "`TIME` between two refreshes of a cluster")
}

var paces = []string{"beats", "paced", "saturated"}

func (r *refresh) run(ctx context.Context, b *bench, out *result) error {
	at, err := b.rig(ctx)
	if err != nil {
		return err
	}
	f, err := b.fleet(ctx, at, r.clusters)
	if err != nil {
		return err
	}
	before, err := r.baselines(ctx, b, f)
	if err != nil {
		return err
	}
	m, err := r.muster(ctx, b, f, out)
	if err != nil {
		return err
	}
	after, err := r.baselines(ctx, b, f)
	if err != nil {
		return err
	}
	if err := r.beside(ctx, b, f, m, out); err != nil {
		return err
	}
	for i, pace := range paces {
		each := (before[i].micros() + after[i].micros()) / 2
		out.add(
			figure{Name: "CPU of a bare GET, before", Case: pace, Value: before[i].micros(), Unit: "us"},
			figure{Name: "CPU of a bare GET, after", Case: pace, Value: after[i].micros(), Unit: "us"},
			figure{Name: "GETs that dialed", Case: pace, Value: after[i].dialed(), Unit: "%"},
			figure{Name: "node refresh : bare GET", Case: pace, Value: m.micros() / each, Unit: "x", Goal: goalOf(pace)},
		)
	}
	return nil
}

// beside measures Prometheus; where it is not to be had, a note on stderr is all there is.
func (r *refresh) beside(ctx context.Context, b *bench, f *fleet, m measured, out *result) error {
	p, err := b.prometheus(ctx, f, r.interval)
	if errors.Is(err, errNoPrometheus) {
		step(err.Error())
		return nil
	}
	if err != nil {
		return err
	}
	out.add(
		figure{Name: "CPU of a scrape by Prometheus", Case: "Prometheus", Value: p.micros, Unit: "us"},
		figure{Name: "scrapes", Case: "Prometheus", Value: p.perSec, Unit: "/s"},
		figure{Name: "memory of a target", Case: "Prometheus", Value: p.rss / 1024 / float64(f.size()), Unit: "KiB"},
		figure{Name: "node refresh : scrape", Case: "Prometheus", Value: m.micros() / p.micros, Unit: "x", Goal: "<= 0.2"},
	)
	return nil
}

// goalOf says what a node refresh may cost beside a GET. Peers ask in beats, and that is what they are held to.
func goalOf(pace string) string {
	if pace == "beats" {
		return "<= 1.0"
	}
	return ""
}

func (r *refresh) baselines(ctx context.Context, b *bench, f *fleet) ([]cost, error) {
	var out []cost
	for _, pace := range paces {
		c, err := b.bare(ctx, f, pace, r.interval)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

// muster measures a group, which ends with it: idle, then with the fleet.
func (r *refresh) muster(ctx context.Context, b *bench, f *fleet, out *result) (m measured, err error) {
	at, err := b.rig(ctx)
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, at.Stop()) }()
	g, err := b.group(ctx, at)
	if err != nil {
		return m, err
	}
	leader, err := g.Leader(ctx)
	if err != nil {
		return m, err
	}
	idle, err := g.during(ctx, leader, b.baseline, "idle")
	if err != nil {
		return m, err
	}
	if err := g.refreshes(ctx, f, r.interval, nil); err != nil {
		return m, err
	}
	step("warming up")
	if !wait(ctx, b.warmup) {
		return m, context.Cause(ctx)
	}
	if m, err = g.during(ctx, leader, b.measure, "muster"); err != nil {
		return m, err
	}
	out.add(m.figures("muster")...)
	asleep := idle.cpu() / idle.seconds
	out.add(
		figure{Name: "CPU of the group without clusters", Case: "muster", Value: 100 * asleep, Unit: "% of a core"},
		figure{
			Name: "CPU of a node refresh beyond that", Case: "muster", Value: m.micros() - asleep*m.seconds*1e6/m.polls(), Unit: "us",
		},
	)
	return m, nil
}
