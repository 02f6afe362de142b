package agent

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/musterhq/muster/agent/life"
)

// pulse tells whether this process has run all along. Raft takes the answer to any earlier request for the word of a quorum
// that this peer still leads. While it runs that is right, since a leader that was not answered within its lease steps down. But in
// a process that was stopped answers lie waiting from before, when it did lead, and others may lead since.
type pulse struct {
	last, woke atomic.Pointer[time.Time] // its last beat, and the last one that came late
}

const (
	pulseEvery = 100 * time.Millisecond
	stopped    = 250 * time.Millisecond // without a beat, and then what raft gets to ask anew
)

func newPulse() *pulse {
	p := &pulse{}
	p.beat(time.Now())
	return p
}

func (p *pulse) beat(now time.Time) {
	if last := p.last.Swap(&now); last != nil && now.Sub(*last) > stopped {
		p.woke.Store(&now)
	}
}

// run beats until ctx ends.
func (p *pulse) run(ctx context.Context) error {
	tick := time.NewTicker(pulseEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			p.beat(time.Now())
		}
	}
}

// awake returns once the process has run for long enough that all that raft hears was asked since.
func (p *pulse) awake(ctx context.Context) error {
	for {
		woke := p.woke.Load()
		if time.Since(*p.last.Load()) <= stopped && (woke == nil || time.Since(*woke) > stopped) {
			return nil
		}
		if !life.Pause(ctx, pulseEvery/4) {
			return fmt.Errorf("wait after this process was stopped: %w", context.Cause(ctx))
		}
	}
}
