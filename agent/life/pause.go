package life

import (
	"context"
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
