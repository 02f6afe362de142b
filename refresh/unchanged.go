package refresh

import (
	"context"
	"sync"
	"time"

	"github.com/musterhq/muster/fsm"
)

const (
	collectFor = 50 * time.Millisecond // unchanged completions of so long travel together
	collectors = 8                     // commands under way at once
)

// collector gathers unchanged completions into one command each collectFor. What could not be delivered is sent again as
// soon as there is a leader: the token fences what had been accepted.
type collector struct {
	cfg    *WorkerConfig
	mu     *sync.Mutex
	next   *fsm.RefreshUnchanged
	steps  []Step // the completions in next, where there is a Tracer
	filled chan struct{}
}

func newCollector(cfg *WorkerConfig) collector {
	return collector{cfg: cfg, mu: new(sync.Mutex), filled: make(chan struct{}, 1)}
}

// standing reports a round that changed nothing, compared with the replica as of an index.
func (w *Worker) standing(ctx context.Context, round *round, asOf uint64) {
	var step Step
	if w.cfg.Tracer != nil {
		_, step = w.step(ctx, "complete")
		step.Set("muster.outcome", "unchanged")
	}
	w.unchanged.add(round, asOf, step)
	w.metrics.unchanged.Inc()
}

// add takes one unchanged round, and the step of its completion where there is a Tracer.
func (c *collector) add(round *round, asOf uint64, step Step) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.next == nil {
		c.next = &fsm.RefreshUnchanged{AsOf: asOf}
	}
	c.next.AsOf = min(c.next.AsOf, asOf)
	c.next.Add(round.claim.Subject.ID, round.claim.Token, round.took)
	if step != nil {
		c.steps = append(c.steps, step)
	}
	select {
	case c.filled <- struct{}{}:
	default:
	}
}

func (c *collector) take() (*fsm.RefreshUnchanged, []Step) {
	c.mu.Lock()
	defer c.mu.Unlock()
	out, steps := c.next, c.steps
	c.next, c.steps = nil, nil
	return out, steps
}

// run sends what is added until ctx ends and all that was under way has returned.
func (c *collector) run(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	places := make(chan struct{}, collectors)
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.filled:
		}
		wait := time.NewTimer(collectFor)
		select {
		case <-ctx.Done():
			wait.Stop()
			return
		case <-wait.C:
		}
		batch, steps := c.take()
		if batch == nil {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case places <- struct{}{}:
		}
		wg.Go(func() {
			defer func() { <-places }()
			c.deliver(ctx, batch, steps)
		})
	}
}

func (c *collector) deliver(ctx context.Context, batch *fsm.RefreshUnchanged, steps []Step) {
	ctx, cancel := context.WithTimeout(ctx, minTTL.Std())
	defer cancel()
	if len(steps) > 0 {
		ctx = c.cfg.Tracer.Together(ctx, steps)
	}
	_, err := c.cfg.Log.Propose(ctx, batch)
	if err != nil {
		c.cfg.Logger.Debug("unchanged refreshes were not delivered", "error", err)
	}
	for _, s := range steps {
		s.End(err)
	}
}
