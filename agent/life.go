package agent

import (
	"context"
	"fmt"
	"sync"
)

// ending is the end of a peer's life: it comes once, with its cause.
type ending struct {
	once  sync.Once
	done  chan struct{}
	cause error // nil when it was asked for; read after done
}

func newEnding() *ending { return &ending{done: make(chan struct{})} }

func (e *ending) end(cause error) {
	e.once.Do(func() {
		e.cause = cause
		close(e.done)
	})
}

// begun says whether it has come.
func (e *ending) begun() bool {
	select {
	case <-e.done:
		return true
	default:
		return false
	}
}

// why is the cause in words.
func (e *ending) why() string {
	if e.cause == nil {
		return "asked to"
	}
	return e.cause.Error()
}

// parts are functions that run side by side until their context ends, by name.
type parts map[string]func(context.Context) error

// running is parts under way.
type running struct {
	wg   sync.WaitGroup
	stop context.CancelFunc
}

// start runs parts. One that fails before its context ends calls end.
func start(ctx context.Context, end func(error), all parts) *running {
	ctx, stop := context.WithCancel(ctx)
	r := &running{stop: stop}
	for name, run := range all {
		r.wg.Go(func() {
			if err := run(ctx); err != nil && ctx.Err() == nil {
				end(fmt.Errorf("%s: %w", name, err))
			}
		})
	}
	return r
}

// wait returns when all parts have ended.
func (r *running) wait() {
	r.wg.Wait()
	r.stop()
}

// halt ends the parts and waits for them.
func (r *running) halt() {
	r.stop()
	r.wait()
}
