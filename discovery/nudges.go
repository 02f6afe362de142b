package discovery

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"
)

// NudgeWindow is how long the nudges that follow one are gathered, to go together.
const NudgeWindow = 200 * time.Millisecond

// Nudges gathers what watchers name and hands it on paced: the first at once, those of the NudgeWindow after it together.
// It holds each name once, so it is as large as the set of names that can move.
type Nudges struct {
	mu    sync.Mutex
	names map[string]struct{}
	wake  chan struct{}
}

// NewNudges makes an empty set.
func NewNudges() *Nudges {
	return &Nudges{names: map[string]struct{}{}, wake: make(chan struct{}, 1)}
}

// Add puts names in. It never blocks.
func (n *Nudges) Add(names ...string) {
	if len(names) == 0 {
		return
	}
	n.mu.Lock()
	for _, name := range names {
		n.names[name] = struct{}{}
	}
	n.mu.Unlock()
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// Run hands names on until ctx ends, and returns its error. One Run at a time.
func (n *Nudges) Run(ctx context.Context, nudge func(names []string)) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-n.wake:
		}
		if names := n.take(); len(names) > 0 {
			nudge(names)
		}
		if err := pause(ctx, NudgeWindow); err != nil {
			return err
		}
	}
}

func (n *Nudges) take() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	names := slices.Sorted(maps.Keys(n.names))
	clear(n.names)
	return names
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
