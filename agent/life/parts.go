package life

import (
	"context"
	"fmt"
	"sync"
)

// Parts are functions that run side by side until their context ends, by name.
type Parts map[string]func(context.Context) error

// Running is parts under way.
type Running struct {
	wg   sync.WaitGroup
	stop context.CancelFunc
}

// Start runs parts. One that fails before its context ends calls end.
func Start(ctx context.Context, end func(error), all Parts) *Running {
	ctx, stop := context.WithCancel(ctx)
	r := &Running{stop: stop}
	for name, run := range all {
		r.wg.Go(func() {
			if err := run(ctx); err != nil && ctx.Err() == nil {
				end(fmt.Errorf("%s: %w", name, err))
			}
		})
	}
	return r
}

// Wait returns when all parts have ended.
func (r *Running) Wait() {
	r.wg.Wait()
	r.stop()
}

// Halt ends the parts and waits for them.
func (r *Running) Halt() {
	r.stop()
	r.Wait()
}
