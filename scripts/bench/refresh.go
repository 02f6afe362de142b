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
	f.DurationVar(&r.interval, "interval", 10*time.Second, "between two refreshes of a cluster")
}

var paces = []string{"beats", "paced", "saturated"}

func (r *refresh) run(ctx context.Context, b *bench, out *result) error {
	at, err := b.rig()
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
	m, err := r.muster(ctx, b, f)
	if err != nil {
		return err
	}
	after, err := r.baselines(ctx, b, f)
	if err != nil {
		return err
	}
	out.add(m.figures("muster")...)
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

// muster measures a group, which ends with it.
func (r *refresh) muster(ctx context.Context, b *bench, f *fleet) (m measured, err error) {
	at, err := b.rig()
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, at.Stop()) }()
	g, err := b.group(ctx, at)
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
	leader, err := g.Leader(ctx)
	if err != nil {
		return m, err
	}
	return g.during(ctx, leader, b.measure, "muster")
}
