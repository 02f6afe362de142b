package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"time"

	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
	"github.com/musterhq/muster/scripts/rig"
)

// large is the scenario of a large catalog in Consul: runs over all of it, one instance that changes, an idle minute, and
// the storm of first refreshes.
type large struct {
	services, instances int
	runs, changes       int
}

func (s *large) flags(f *flag.FlagSet) {
	f.IntVar(&s.services, "services", 1000, "`N` services in Consul")
	f.IntVar(&s.instances, "instances", 100, "`N` instances of each")
	f.IntVar(&s.runs, "runs", 5, "`N` full runs that find nothing new")
	f.IntVar(&s.changes, "changes", 10, "`N` instances that change, one after the other")
}

// readers is how many requests a full run has in flight, as a discovery's concurrency is by default.
const readers = 16

// cataloged is the scenario under way.
type cataloged struct {
	*large
	b       *bench
	out     *result
	fleet   *fleet
	consul  *rig.Process
	catalog catalog
	tap     *tap
	group   *group
	leader  *rig.Peer
}

func (s *large) run(ctx context.Context, b *bench, out *result) (err error) {
	c := &cataloged{large: s, b: b, out: out}
	r, err := b.rig()
	if err != nil {
		return err
	}
	wide := *b
	wide.nodes = s.instances
	if c.fleet, err = wide.fleet(ctx, r, s.services); err != nil {
		return err
	}
	if c.consul, c.catalog.addr, err = r.Consul(ctx); err != nil {
		return err
	}
	step(fmt.Sprintf("registering %d instances", c.fleet.size()))
	if err := c.catalog.fill(ctx, c.fleet.file); err != nil {
		return err
	}
	if c.tap, err = newTap(ctx, c.catalog.addr); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.tap.close()) }()
	if err := c.bare(ctx); err != nil {
		return err
	}
	if c.group, err = b.group(ctx, r); err != nil {
		return err
	}
	if c.leader, err = c.group.Leader(ctx); err != nil {
		return err
	}
	for _, part := range []func(context.Context) error{c.first, c.unchanged, c.changed, c.idle, c.storm} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	return c.bare(ctx)
}

// bare reads the whole catalog without muster, as fast as Consul answers.
func (c *cataloged) bare(ctx context.Context) error {
	step("baseline: a bare reader")
	self, err := os.Executable()
	if err != nil {
		return err
	}
	before, err := look(c.consul.PID())
	if err != nil {
		return err
	}
	var text bytes.Buffer
	cmd := exec.CommandContext(ctx, self, "reader", c.catalog.addr, strconv.Itoa(readers))
	cmd.Stdout, cmd.Stderr = &text, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("baseline: %w", err)
	}
	after, err := look(c.consul.PID())
	if err != nil {
		return err
	}
	var r bareRead
	if err := json.Unmarshal(text.Bytes(), &r); err != nil {
		return err
	}
	column := "bare reader"
	if len(c.out.Figures) > 0 {
		column = "and again"
	}
	c.out.add(
		figure{Name: "time", Case: column, Value: r.Seconds, Unit: "s"},
		figure{Name: "requests", Case: column, Value: float64(r.Requests)},
		figure{Name: "most in flight", Case: column, Value: readers},
		figure{Name: "read from Consul", Case: column, Value: mib(float64(r.Bytes)), Unit: "MiB"},
		figure{Name: "CPU of Consul", Case: column, Value: after.cpu - before.cpu, Unit: "s"},
		figure{
			Name: "CPU of the readers", Case: column, Value: r.CPU, Unit: "s",
			Note: "of all peers together; the bare one only counts bytes",
		},
	)
	return nil
}

func (c *cataloged) spec(refresh bool) fsm.Spec {
	spec := fsm.DefaultSpec()
	spec.Backend, spec.Interval = "consul", fsm.Hour
	spec.Config = fsm.JSON(fmt.Sprintf(`{"address":%q,"services":["fleet-*"]}`, c.tap.addr))
	spec.Refresh.Enabled, spec.Refresh.Interval = refresh, 30*fsm.Second
	return spec
}

// put applies the discovery and waits for its run.
func (c *cataloged) put(ctx context.Context, refresh bool) error {
	if _, err := c.leader.API.PutDiscovery(ctx, "catalog", c.spec(refresh), nil); err != nil {
		return err
	}
	return c.ran(ctx, 0)
}

// ran waits for the end of a full run granted after another, and for it to have listed everything.
func (c *cataloged) ran(ctx context.Context, last fsm.Time) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	return rig.Until(ctx, "a full run", func(ctx context.Context) error {
		row, _, err := c.leader.API.Discovery(ctx, "catalog", httpd.Read{})
		if err == nil && (row.LastRun.At <= last || row.LastRun.Records != c.fleet.size()) {
			err = fmt.Errorf("the last one: %+v", row.LastRun)
		}
		return err
	})
}

// settled waits until nobody asks Consul anything it would not hold back.
func (c *cataloged) settled(ctx context.Context) error {
	for before := -1; ; {
		now := c.tap.seen().requests
		if now == before {
			return nil
		}
		before = now
		if !wait(ctx, 3*time.Second) {
			return context.Cause(ctx)
		}
	}
}

func (c *cataloged) first(ctx context.Context) error {
	step("the first run")
	s, err := c.during(ctx, func(ctx context.Context) error { return c.put(ctx, false) })
	if err != nil {
		return err
	}
	c.out.add(s.figures("first run")...)
	watching, err := c.during(ctx, c.settled)
	c.out.add(watching.figures("what the new watch reads")...)
	return err
}

func (c *cataloged) unchanged(ctx context.Context) error {
	var took []float64
	var last spent
	for i := range c.runs {
		step(fmt.Sprintf("a run with nothing new, %d", i+1))
		row, _, err := c.leader.API.Discovery(ctx, "catalog", httpd.Read{})
		if err != nil {
			return err
		}
		last, err = c.during(ctx, func(ctx context.Context) error {
			err := rig.Until(ctx, "a run to be granted", func(ctx context.Context) error { // a nudged one may be open
				_, err := c.leader.API.RunDiscovery(ctx, "catalog")
				return err
			})
			if err != nil {
				return err
			}
			return c.ran(ctx, row.LastRun.At)
		})
		if err != nil {
			return err
		}
		took = append(took, last.seconds)
	}
	last.seconds = quantilesOf(took).P50
	c.out.add(last.figures("unchanged run")...)
	return nil
}

// changed moves one instance after the other to another port, each of a service that is watched one by one.
func (c *cataloged) changed(ctx context.Context) error {
	step("one instance changes")
	from := c.leader
	for _, p := range c.group.Running() {
		if p != c.leader {
			from = p
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	seen := make(chan string, 1024)
	go func() { // ends with ctx; what it misses is missed below
		_ = from.API.Follow(ctx, httpd.EventsQuery{After: "now", Type: "node.*"}, func(e httpd.Event) error {
			seen <- e.Node
			return nil
		})
	}()
	if !wait(ctx, 2*time.Second) {
		return context.Cause(ctx)
	}
	var took []float64
	all := spent{}
	for i := range c.changes {
		var delay time.Duration
		s, err := c.during(ctx, func(ctx context.Context) error {
			began := time.Now()
			if err := c.catalog.move(ctx, i); err != nil {
				return err
			}
			late := time.NewTimer(time.Minute)
			defer late.Stop()
			for want := moved(i); ; {
				select {
				case node := <-seen:
					if node == want {
						delay = time.Since(began)
						return c.settled(ctx)
					}
				case <-late.C:
					return fmt.Errorf("no event of %s in a minute", want)
				case <-ctx.Done():
					return context.Cause(ctx)
				}
			}
		})
		if err != nil {
			return err
		}
		took = append(took, delay.Seconds())
		all.requests, all.blocking, all.bytes = all.requests+s.requests, all.blocking+s.blocking, all.bytes+s.bytes
		all.consul += s.consul
	}
	n := float64(c.changes)
	const column = "one change"
	c.out.add(
		figure{
			Name: "time", Case: column, Value: quantilesOf(took).P50, Unit: "s",
			Note: "of a change: until its event at a follower, p50",
		},
		figure{Name: "requests", Case: column, Value: float64(all.requests) / n},
		figure{Name: "blocking queries", Case: column, Value: float64(all.blocking) / n},
		figure{Name: "read from Consul", Case: column, Value: mib(float64(all.bytes)) / n, Unit: "MiB"},
		figure{Name: "CPU of Consul", Case: column, Value: all.consul / n, Unit: "s"},
	)
	return nil
}

func (c *cataloged) idle(ctx context.Context) error {
	step("idle")
	s, err := c.during(ctx, func(ctx context.Context) error {
		if !wait(ctx, c.b.measure) {
			return context.Cause(ctx)
		}
		return nil
	})
	c.out.add(s.figures("idle")...)
	return err
}

// stormMost is how long the first refreshes are watched.
const stormMost = 2 * time.Minute

// storm has every cluster be due at once, for the first time.
func (c *cataloged) storm(ctx context.Context) error {
	step("the first refreshes of all at once")
	var overdue []float64
	seen := 0
	s, err := c.during(ctx, func(ctx context.Context) error {
		if _, err := c.leader.API.PutDiscovery(ctx, "catalog", c.spec(true), nil); err != nil {
			return err
		}
		for end := time.Now().Add(stormMost); seen < c.services && time.Now().Before(end); {
			if !wait(ctx, 250*time.Millisecond) {
				return context.Cause(ctx)
			}
			m, err := scrape(ctx, c.leader.HTTP)
			if err != nil {
				return err
			}
			overdue = append(overdue, m.sum("muster_agent_due_overdue_seconds"))
			seen = 0
			if err := c.group.clusters(ctx, func(row httpd.ClusterRow) {
				if row.Health != fsm.HealthUnknown {
					seen++
				}
			}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	const column = "first refreshes"
	c.out.add(s.figures(column)...)
	c.out.add(
		figure{Name: "overdue, max", Case: column, Value: quantilesOf(overdue).Max, Unit: "s"},
		figure{Name: "clusters asked", Case: column, Value: float64(seen), Note: fmt.Sprintf("of %d, within %s", c.services, stormMost)},
	)
	return nil
}
