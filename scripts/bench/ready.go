package main

import (
	"context"
	"fmt"
	"time"

	"github.com/musterhq/muster/scripts/rig"
)

// arrival is how a peer that was started came to serve.
type arrival struct {
	seconds float64 // from its start until /readyz said ok
	cpu     float64 // seconds its process had used by then
}

// askEvery is how often a peer is asked while something is waited for, and so how exact such times are.
const askEvery = 10 * time.Millisecond

// arrives waits until a peer that was started at a time says that it is ready.
func arrives(ctx context.Context, p *rig.Peer, began time.Time) (arrival, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	err := until(ctx, p.Name+" to be ready", func() (bool, error) {
		if !p.Running() {
			return false, fmt.Errorf("%s has ended; see %s", p.Name, p.Log)
		}
		ready, err := p.API.Ready(ctx)
		return err == nil && ready.Status == "ok", nil
	})
	if err != nil {
		return arrival{}, err
	}
	took := time.Since(began).Seconds()
	used, err := look(p.PID())
	return arrival{took, used.cpu}, err
}

// until calls a condition every askEvery until it holds or fails; what is awaited is for the error when ctx ends before.
func until(ctx context.Context, what string, holds func() (bool, error)) error {
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	for {
		ok, err := holds()
		if ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waited for %s: %w", what, context.Cause(ctx))
		case <-tick.C:
		}
	}
}

// follower is a running peer that does not lead.
func (g *group) follower(ctx context.Context) (*rig.Peer, error) {
	leader, err := g.Leader(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range g.Running() {
		if p != leader {
			return p, nil
		}
	}
	return nil, fmt.Errorf("only %s runs", leader.Name)
}
