package sidecar

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/musterhq/muster/fsm"
)

const (
	maxAge = 500 * time.Millisecond // of the beginning of a probe that answers a later request
	grace  = 5 * time.Second        // how much later than its time a probe may end before it is called stuck
)

var errStopping = errors.New("the sidecar is stopping")

// asker asks the store, one probe at a time, for all who want to know.
type asker struct {
	probe    func(context.Context) fsm.Report
	hear     func(fsm.Report, time.Duration) *answer
	interval time.Duration
	timeout  time.Duration
	wanted   chan struct{} // holds one
	stopped  chan struct{} // closed when run has returned

	mu    sync.Mutex
	open  *flight // wanted, or under way
	last  *answer // nil before the first
	asked time.Time
}

// flight is one probe and those who wait for it.
type flight struct {
	began  time.Time // zero until it has
	done   chan struct{}
	answer *answer // set when done
}

func newAsker(s *Sidecar) *asker {
	w := &word{config: &s.Config}
	return &asker{
		probe: func(ctx context.Context) fsm.Report { return s.Prober.Probe(ctx, s.Target) },
		hear: func(r fsm.Report, took time.Duration) *answer {
			before := w.said
			a := w.hear(r)
			s.metrics.probed(a, took)
			if w.said != before {
				s.Log.Info("the store's word changed", "state", w.said.state, "reason", w.said.reason, "detail", a.detail)
			}
			return a
		},
		interval: s.Interval, timeout: s.Timeout,
		wanted: make(chan struct{}, 1), stopped: make(chan struct{}),
	}
}

// run probes when somebody wants to know, and an interval after the last probe, until ctx ends. It may be called once.
func (a *asker) run(ctx context.Context) {
	defer close(a.stopped)
	due := time.NewTimer(0)
	defer due.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-due.C:
		case <-a.wanted:
		}
		a.once(ctx)
		due.Reset(a.interval)
	}
}

func (a *asker) once(ctx context.Context) {
	began := time.Now()
	f := a.begin(began)
	within, cancel := context.WithTimeout(ctx, a.timeout)
	report := a.probe(within)
	cancel()
	if ctx.Err() != nil {
		return
	}
	f.answer = a.hear(report, time.Since(began))
	a.mu.Lock()
	a.last, a.asked, a.open = f.answer, began, nil
	a.mu.Unlock()
	close(f.done)
}

// begin takes up the flight that is wanted, if one is.
func (a *asker) begin(now time.Time) *flight {
	a.mu.Lock()
	defer a.mu.Unlock()
	select {
	case <-a.wanted:
	default:
	}
	if a.open == nil {
		a.open = &flight{done: make(chan struct{})}
	}
	a.open.began = now
	return a.open
}

// fresh is what the store says now.
func (a *asker) fresh(ctx context.Context) (*answer, error) {
	a.mu.Lock()
	if a.last != nil && time.Since(a.asked) < maxAge {
		defer a.mu.Unlock()
		return a.last, nil
	}
	f := a.open
	if f == nil {
		f = &flight{done: make(chan struct{})}
		a.open = f
		select {
		case a.wanted <- struct{}{}:
		default:
		}
	}
	a.mu.Unlock()
	select {
	case <-f.done:
		return f.answer, nil
	case <-a.stopped:
		return nil, errStopping
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// live says whether probes end.
func (a *asker) live() error {
	select {
	case <-a.stopped:
		return errStopping
	default:
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if f := a.open; f != nil && !f.began.IsZero() && time.Since(f.began) > a.timeout+grace {
		return errors.New("a probe of the store does not end")
	}
	return nil
}

// ready says whether the store was asked.
func (a *asker) ready() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.last == nil {
		return errors.New("the store was not asked yet")
	}
	return nil
}
