package consensus

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/musterhq/muster/agent/life"
)

// Pulse tells whether this process has run all along. Raft takes the answer to any earlier request for the word of a quorum
// that this peer still leads. While it runs that is right, since a leader that was not answered within its lease steps down. But in
// a process that was stopped answers lie waiting from before, when it did lead, and others may lead since.
type Pulse struct {
	last, woke atomic.Pointer[time.Time] // its last beat, and the last one that came late
}

const (
	pulseEvery = 100 * time.Millisecond

	// Stopped is how long a process was without a beat that was stopped, and then what raft gets to ask anew.
	Stopped = 250 * time.Millisecond
)

// NewPulse makes one that has just beaten.
func NewPulse() *Pulse {
	p := &Pulse{}
	p.Beat(time.Now())
	return p
}

// Beat says that the process runs at a moment.
func (p *Pulse) Beat(now time.Time) {
	if last := p.last.Swap(&now); last != nil && now.Sub(*last) > Stopped {
		p.woke.Store(&now)
	}
}

// Run beats until ctx ends.
func (p *Pulse) Run(ctx context.Context) error {
	for range life.Beats(ctx, pulseEvery) {
		p.Beat(time.Now())
	}
	return nil
}

// Awake returns once the process has run for long enough that all that raft hears was asked since.
func (p *Pulse) Awake(ctx context.Context) error {
	for {
		woke := p.woke.Load()
		if time.Since(*p.last.Load()) <= Stopped && (woke == nil || time.Since(*woke) > Stopped) {
			return nil
		}
		if !life.Pause(ctx, pulseEvery/4) {
			return fmt.Errorf("wait after this process was stopped: %w", context.Cause(ctx))
		}
	}
}
