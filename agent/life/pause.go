package life

import (
	"context"
	"iter"
	"sync"
	"time"
)

// Pause waits; false when ctx ended first.
func Pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// Beats are moments so far apart, the first of them that long from now, until ctx ends. Those that come while one is
// dealt with are one, which comes right after it.
func Beats(ctx context.Context, apart time.Duration) iter.Seq[struct{}] {
	return func(yield func(struct{}) bool) {
		tick := time.NewTicker(apart)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if !yield(struct{}{}) {
				return
			}
		}
	}
}

// Until runs a function whose context ends early when something is over; an error that came of that is none.
func Until(ctx context.Context, over <-chan struct{}, run func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		select {
		case <-ctx.Done():
		case <-over:
			cancel()
		}
	})
	err := run(ctx)
	if ctx.Err() != nil {
		err = nil
	}
	cancel()
	wg.Wait()
	return err
}
