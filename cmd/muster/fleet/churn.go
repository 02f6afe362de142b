package fleet

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/musterhq/muster/fsm"
)

const (
	unwellOf   = 100 // one node in so many is kept unwell
	shortTick  = 10 * time.Millisecond
	stormLagMS = 120_000
)

// churn changes the fleet by itself: it breaks nodes until one in a hundred is unwell, then heals the one that has been so
// the longest before it breaks another. In one step out of four it moves a primary instead, and when it has broken a
// primary its next step is the failover. Nodes that it did not break it does not heal, and the sources it leaves alone.
type churn struct {
	layout
	act    func(ctx context.Context, v Verb, a Action) (Cluster, error)
	log    *slog.Logger
	every  time.Duration
	each   int // steps of a tick
	unwell int // how many to keep so
	rng    *rand.Rand

	broken []Action // oldest first
	is     map[string]bool
	next   *Action // a failover
}

func newChurn(c *Config, l layout, act func(ctx context.Context, v Verb, a Action) (Cluster, error)) *churn {
	every := time.Duration(float64(time.Second) / c.Churn)
	each := 1
	if every < shortTick {
		each = int(shortTick / every)
		every *= time.Duration(each)
	}
	return &churn{
		layout: l, act: act, log: c.Logger, every: every, each: each,
		unwell: max(1, l.Clusters*l.Nodes/unwellOf),
		rng:    rand.New(rand.NewPCG(c.Seed, 0)), is: map[string]bool{},
	}
}

func (c *churn) run(ctx context.Context) error {
	tick := time.NewTicker(c.every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		for range c.each {
			if err := c.step(ctx); err != nil && ctx.Err() == nil {
				c.log.Warn("churn could not change a node", "error", err)
			}
		}
	}
}

// step does one change.
func (c *churn) step(ctx context.Context) error {
	switch {
	case c.next != nil:
		a := *c.next
		c.next = nil
		return c.failover(ctx, a)
	case c.Nodes > 1 && c.rng.IntN(4) == 0:
		return c.failover(ctx, Action{Cluster: c.clusterName(c.rng.IntN(c.Clusters))})
	case len(c.broken) < c.unwell:
		return c.breakOne(ctx)
	}
	a := c.broken[0]
	c.broken = c.broken[1:]
	delete(c.is, a.Node)
	_, err := c.act(ctx, Start, a)
	return err
}

// failover is content when nobody can take over.
func (c *churn) failover(ctx context.Context, a Action) error {
	if _, err := c.act(ctx, Failover, a); !errors.Is(err, fsm.ErrConflict) {
		return err
	}
	return nil
}

func (c *churn) breakOne(ctx context.Context) error {
	cluster, node := c.rng.IntN(c.Clusters), c.rng.IntN(c.Nodes)
	a := Action{Cluster: c.clusterName(cluster), Node: c.nodeID(cluster, node)}
	if c.is[a.Node] {
		return nil
	}
	verb := c.trouble(&a)
	view, err := c.act(ctx, verb, a)
	if err != nil {
		return err
	}
	c.broken = append(c.broken, Action{Cluster: a.Cluster, Node: a.Node})
	c.is[a.Node] = true
	for _, role := range view.Nodes[node].Roles {
		if role == fsm.RolePrimary && (verb == Stop || verb == Silent || verb == SetState) {
			c.next = &Action{Cluster: a.Cluster, Node: a.Node}
		}
	}
	return nil
}

// trouble chooses what happens to a node, more often what happens more often.
func (c *churn) trouble(a *Action) Verb {
	switch n := c.rng.IntN(12); {
	case n < 5:
		return Stop
	case n < 8:
		a.State = fsm.StateDown
		return SetState
	case n < 10:
		return Silent
	case n < 11:
		lag := int64(stormLagMS)
		a.LagMS = &lag
		return SetLag
	case c.Nodes == 1 || c.rng.IntN(2) == 0:
		return Garbage
	default:
		return Lie
	}
}
