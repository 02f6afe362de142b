package main

import (
	"context"
	"fmt"
	"time"

	httpd "github.com/musterhq/muster/http"
)

// changed moves one instance after the other to another port, each of a service that is watched one by one.
func (c *cataloged) changed(ctx context.Context) error {
	step("one instance changes")
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	seen := c.follow(ctx)
	if !wait(ctx, 2*time.Second) {
		return context.Cause(ctx)
	}
	var took []float64
	all := spent{}
	for i := range c.changes {
		s, err := c.during(ctx, func(ctx context.Context) error {
			delay, err := c.move(ctx, i, seen)
			if err != nil {
				return err
			}
			took = append(took, delay.Seconds())
			return c.settled(ctx)
		})
		if err != nil {
			return err
		}
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

// follow sends the node of each event that a peer which does not lead tells from now on, until ctx ends.
func (c *cataloged) follow(ctx context.Context) <-chan string {
	from := c.leader
	for _, p := range c.group.Running() {
		if p != c.leader {
			from = p
		}
	}
	seen := make(chan string, 1024)
	go func() { // ends with ctx; what it misses is missed by move
		_ = from.API.Follow(ctx, httpd.EventsQuery{After: "now", Type: "node.*"}, func(e httpd.Event) error {
			seen <- e.Node
			return nil
		})
	}()
	return seen
}

// move moves an instance and waits for its event; delay is how long that took.
func (c *cataloged) move(ctx context.Context, i int, seen <-chan string) (delay time.Duration, err error) {
	began := time.Now()
	if err := c.catalog.move(ctx, i); err != nil {
		return 0, err
	}
	late := time.NewTimer(time.Minute)
	defer late.Stop()
	for want := moved(i); ; {
		select {
		case node := <-seen:
			if node == want {
				return time.Since(began), nil
			}
		case <-late.C:
			return 0, fmt.Errorf("no event of %s in a minute", want)
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
}
