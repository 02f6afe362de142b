package refresh

import (
	"context"
	"log/slog"
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
	log    Log
	logger *slog.Logger
	mu     *sync.Mutex
	next   *fsm.RefreshUnchanged
	filled chan struct{}
}

func newCollector(log Log, logger *slog.Logger) collector {
	return collector{log: log, logger: logger, mu: new(sync.Mutex), filled: make(chan struct{}, 1)}
}

// add takes one unchanged round that was compared with the replica as of an index.
func (c *collector) add(claim *fsm.Claim, took fsm.Duration, asOf uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.next == nil {
		c.next = &fsm.RefreshUnchanged{AsOf: asOf}
	}
	c.next.AsOf = min(c.next.AsOf, asOf)
	c.next.Add(claim.Subject.ID, claim.Token, took)
	select {
	case c.filled <- struct{}{}:
	default:
	}
}

func (c *collector) take() *fsm.RefreshUnchanged {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := c.next
	c.next = nil
	return out
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
		batch := c.take()
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
			c.deliver(ctx, batch)
		})
	}
}

func (c *collector) deliver(ctx context.Context, batch *fsm.RefreshUnchanged) {
	ctx, cancel := context.WithTimeout(ctx, minTTL.Std())
	defer cancel()
	if _, err := c.log.Propose(ctx, batch); err != nil {
		c.logger.Debug("unchanged refreshes were not delivered", "error", err)
	}
}
