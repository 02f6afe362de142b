package world

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/musterhq/muster/fsm"
)

// more has the peer apply what it lacks, in its own time.
func (p *peer) more() {
	w := p.w
	if !p.up || !p.member || p.applying || p.pos >= len(w.log.entries) {
		return
	}
	p.applying = true
	pace := w.between(2*time.Millisecond, 100*time.Millisecond)
	if w.log.holder != nil && w.log.holder.p == p || p.pos+8 < len(w.log.entries) {
		pace = w.between(0, 2*time.Millisecond)
	}
	pace = max(pace, p.paused-w.now, p.cut-w.now)
	life := p.life
	w.after(pace, func() {
		if p.life != life || !p.applying {
			return
		}
		p.applying = false
		if p.paused > w.now {
			p.more()
			return
		}
		for n := 1 + max(0, len(w.log.entries)-p.pos-8)/4; n > 0 && p.life == life && p.pos < len(w.log.entries); n-- {
			p.apply(w.log.entries[p.pos])
		}
		p.more()
	})
}

// apply applies one entry, and does what follows from it.
func (p *peer) apply(e *entry) {
	w := p.w
	if e.whole {
		p.takeUpWhole(e)
		return
	}
	a, err := p.state.Apply(e.index, e.raw)
	if err != nil {
		w.fail("I19", "%s stops at entry %d: %v", p.name, e.index, err)
	}
	p.pos++
	w.step("apply", p.name, e.index)
	w.check.same(p, e, a)
	w.check.understands(p)
	p.save()
	if p.open {
		for _, c := range a.Granted {
			p.offer(c)
		}
	}
	if p.term != nil {
		p.term.applied(e, a)
	}
	p.caughtUp()
	p.wake()
}

// takeUpWhole puts a snapshot in the place of the state, as raft does after an operator's restore.
func (p *peer) takeUpWhole(e *entry) {
	if err := p.state.Restore(bytes.NewReader(e.raw)); err != nil {
		p.w.fail("I17", "%s cannot restore the operator's backup: %v", p.name, err)
	}
	p.pos++
	p.w.check.tookUp(p, e)
	if p.open {
		p.takeUp()
	}
	p.caughtUp()
	p.wake()
}

// wake has those look who wait for the replica.
func (p *peer) wake() {
	for _, t := range slices.Clone(p.waiting) {
		t.poke()
	}
}

// caughtUp lets the peer work once it has what was committed when it started.
func (p *peer) caughtUp() {
	if !p.open && p.pos >= p.target && p.Read().Meta().Group != "" {
		p.open = true
		p.takeUp()
	}
	if p.term != nil {
		p.term.tryOpen()
	}
}

// takeUp works on the claims that name this peer already.
func (p *peer) takeUp() {
	for c := range p.Read().ClaimsOf(p.id) {
		p.offer(c)
	}
}

// Read is the replica of the worker and the runner.
func (p *peer) Read() *fsm.Reader { return p.state.Read() }

// WaitIndex waits until the replica has applied an entry.
func (p *peer) WaitIndex(ctx context.Context, index uint64) error {
	t := p.w.running
	if t.dead {
		return errDead
	}
	p.waiting = append(p.waiting, t)
	ok := t.await(limitOf(ctx, p.w.now+time.Minute), func() bool { return p.Read().Meta().Index >= index })
	p.waiting = slices.DeleteFunc(p.waiting, func(o *task) bool { return o == t })
	if !ok {
		return context.DeadlineExceeded
	}
	return nil
}

func limitOf(ctx context.Context, most time.Duration) time.Duration {
	if d, ok := ctx.(deadline); ok {
		return min(d.at, most)
	}
	return most
}
