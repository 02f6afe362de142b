package main

import (
	"context"
	"fmt"
	"time"

	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

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
