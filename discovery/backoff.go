package discovery

import (
	"context"
	"math/rand/v2"
	"time"
)

// The bounds of a Backoff.
const (
	BackoffLeast = time.Second
	BackoffMost  = 3 * time.Minute
)

// Backoff paces a watch that fails: waits double from BackoffLeast to BackoffMost, each off by up to a quarter so that
// peers that failed together do not come back together. The zero value is ready; it serves one goroutine.
type Backoff struct {
	failures int
}

// Next counts a failure and says how long to wait after it.
func (b *Backoff) Next() time.Duration {
	d := BackoffMost
	if b.failures < 8 {
		d = min(BackoffLeast<<b.failures, BackoffMost)
		b.failures++
	}
	return d - d/4 + rand.N(d/2)
}

// Wait counts a failure and waits, or returns the error of ctx.
func (b *Backoff) Wait(ctx context.Context) error { return pause(ctx, b.Next()) }

// Reset forgets the failures.
func (b *Backoff) Reset() { b.failures = 0 }
