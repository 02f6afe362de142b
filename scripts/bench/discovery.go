package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
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
	r, err := b.rig(ctx)
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
