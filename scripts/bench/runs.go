package main

import (
	"context"
	"fmt"

	httpd "github.com/musterhq/muster/http"
	"github.com/musterhq/muster/scripts/rig"
)

// first is the run that finds everything, and what its watch reads thereafter.
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

// unchanged has full runs find nothing new.
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

// idle is what a watch costs while nothing changes.
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
