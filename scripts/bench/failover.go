package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"time"

	httpd "github.com/musterhq/muster/http"
	"github.com/musterhq/muster/scripts/rig"
)

// failover kills the leader of a group under load, again and again, and measures how soon another one refreshes, how soon
// all refreshes flow as before, and whether what was missed is made up for without a storm.
type failover struct {
	clusters int
	interval time.Duration
	times    int
	windows  int
	window   time.Duration
}

func (s *failover) flags(f *flag.FlagSet) {
	f.IntVar(&s.clusters, "failover-clusters", 1000, "`N` clusters")
	f.DurationVar(&s.interval, "failover-interval", 3*time.Second, "`TIME` between two refreshes of a cluster")
	f.IntVar(&s.times, "failovers", 20, "`N` kills of the leader")
	f.IntVar(&s.windows, "failover-windows", 3, "`N` of the first kills, after each of which the log is measured")
	f.DurationVar(&s.window, "failover-window", 30*time.Second, "`TIME` that the log is measured, before the kills and after each of those")
}

// flow is how refreshes go on.
const (
	flowEvery = 250 * time.Millisecond // how often the age of all views is looked at
	flowLate  = 2 * beat               // by which views may be older than the oldest before the kill
	flowWait  = time.Minute
)

// loss is what the loss of one leader cost, in seconds from the kill on.
type loss struct{ led, refreshed, flows float64 }

func (s *failover) run(ctx context.Context, b *bench, out *result) error {
	r, err := b.rig(ctx)
	if err != nil {
		return err
	}
	g, err := b.watched(ctx, r, s.clusters, s.interval)
	if err != nil {
		return err
	}
	step("measuring how it flows before")
	if !wait(ctx, b.warmup) {
		return context.Cause(ctx)
	}
	normal, oldest, err := s.normal(ctx, g)
	if err != nil {
		return err
	}
	var led, refreshed, flows, storms []float64
	for i := range s.times {
		step(fmt.Sprintf("kill %d of %d", i+1, s.times))
		one, err := s.kill(ctx, g, oldest+flowLate, func() error {
			if i >= s.windows {
				return nil
			}
			bytes, err := s.bytes(ctx, g, s.window)
			storms = append(storms, bytes/normal)
			return err
		})
		if err != nil {
			return fmt.Errorf("kill %d: %w", i+1, err)
		}
		step(fmt.Sprintf("another led after %.2f s, refreshed after %.2f s, all flowed after %.2f s", one.led, one.refreshed, one.flows))
		led, refreshed, flows = append(led, one.led), append(refreshed, one.refreshed), append(flows, one.flows)
	}
	out.add(
		figure{Name: "baseline: log bytes while nothing fails", Value: normal, Unit: "B/s"},
		figure{Name: "baseline: age of the oldest view while nothing fails", Value: oldest.Seconds(), Unit: "s"},
	)
	out.spread(figure{
		Name: "until another leads", Unit: "s", Note: "its barrier has returned; raft misses the leader after 0.5 s at the least",
	}, led)
	out.spread(figure{Name: "until a refresh is committed", Unit: "s", Goal: "<= 3"}, refreshed)
	out.spread(figure{
		Name: "until everything flows", Unit: "s", Goal: "<= 5",
		Note: "from then on no view is older than the oldest was before, by more than two beats",
	}, flows)
	out.spread(figure{Name: "log bytes afterwards : before", Unit: "x", Goal: "<= 3"}, storms)
	return nil
}

// normal is the log bytes per second and the age of the oldest view while nothing fails.
func (s *failover) normal(ctx context.Context, g *group) (bytes float64, oldest time.Duration, err error) {
	for end := time.Now().Add(2 * s.interval); time.Now().Before(end); {
		age, err := g.oldest(ctx)
		if err != nil {
			return 0, 0, err
		}
		oldest = max(oldest, age)
		if !wait(ctx, flowEvery) {
			return 0, 0, context.Cause(ctx)
		}
	}
	bytes, err = s.bytes(ctx, g, s.window)
	return bytes, oldest, err
}

// bytes is what the leader appends to the log per second, heads included, over a time.
func (s *failover) bytes(ctx context.Context, g *group, d time.Duration) (float64, error) {
	leader, err := g.Leader(ctx)
	if err != nil {
		return 0, err
	}
	before, err := g.read(ctx, leader)
	if err != nil {
		return 0, err
	}
	if !wait(ctx, d) {
		return 0, context.Cause(ctx)
	}
	after, err := g.read(ctx, leader)
	m := measured{reading: after.minus(before), seconds: after.at.Sub(before.at).Seconds()}
	return m.logBytes() / m.seconds, err
}

// kill ends the leader, measures what follows, and brings it back. Views older than late count as refreshes that do not
// flow. Then runs beside, from the first refresh on.
func (s *failover) kill(ctx context.Context, g *group, late time.Duration, then func() error) (loss, error) {
	leader, err := g.Leader(ctx)
	if err != nil {
		return loss{}, err
	}
	began := time.Now()
	leader.Kill()
	var one loss
	if one.led, one.refreshed, err = s.refreshed(ctx, g, began); err != nil {
		return one, err
	}
	logged := make(chan error, 1)
	go func() { logged <- then() }()
	one.flows, err = s.flows(ctx, g, began, late)
	if err := errors.Join(err, <-logged); err != nil {
		return one, err
	}
	if _, err := again(ctx, leader); err != nil {
		return one, err
	}
	return one, g.voted(ctx)
}

// refreshed waits until another peer leads and a survivor was told of a refresh that it accepted.
func (s *failover) refreshed(ctx context.Context, g *group, began time.Time) (led, first float64, err error) {
	ctx, cancel := context.WithTimeout(ctx, flowWait)
	defer cancel()
	leads := func(r reading) bool { return r.sum("muster_agent_leader") > 0 }
	done := func(r reading) float64 { return r.sum("muster_refresh_round_duration_seconds_count") }
	var before float64
	err = until(ctx, "a refresh by the next leader", func() (bool, error) {
		r, err := g.read(ctx, nil)
		if err != nil {
			return false, err
		}
		switch {
		case led == 0 && !leads(r):
			before = done(r)
		case led == 0:
			led = time.Since(began).Seconds()
		}
		return led > 0 && done(r) > before, nil
	})
	return led, time.Since(began).Seconds(), err
}

// flows is when views were last too old, in seconds from the kill on; they are looked at for an interval longer than that.
func (s *failover) flows(ctx context.Context, g *group, began time.Time, late time.Duration) (float64, error) {
	last := time.Now()
	for time.Since(last) < s.interval+flowLate {
		age, err := g.oldest(ctx)
		if err != nil {
			return 0, err
		}
		if age > late {
			last = time.Now()
		}
		if last.Sub(began) > flowWait {
			return 0, errors.New("refreshes do not flow again")
		}
		if !wait(ctx, flowEvery) {
			return 0, context.Cause(ctx)
		}
	}
	return last.Sub(began).Seconds(), nil
}

// oldest is the age of the oldest view, as the first peer that runs has them.
func (g *group) oldest(ctx context.Context) (time.Duration, error) {
	var age time.Duration
	err := g.clusters(ctx, func(c httpd.ClusterRow) { age = max(age, time.Since(c.RefreshedAt.Std())) })
	return age, err
}

// voted waits until all peers vote and none is behind.
func (g *group) voted(ctx context.Context) error {
	const behind = 16 // entries, some of which are under way at any time
	return rig.Until(ctx, "all peers to vote and to have caught up", func(ctx context.Context) error {
		conf, err := g.Running()[0].API.RaftConfiguration(ctx, httpd.Read{})
		if err != nil {
			return err
		}
		applied := uint64(0)
		for _, p := range conf.Servers {
			applied = max(applied, p.AppliedIndex)
		}
		for _, p := range conf.Servers {
			if !p.Voter || p.AppliedIndex+behind < applied {
				return fmt.Errorf("%s votes: %v, and is at %d of %d", p.Name, p.Voter, p.AppliedIndex, applied)
			}
		}
		return nil
	})
}
