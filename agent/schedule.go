package agent

import (
	"context"
	"time"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

// schedule is the leader's rhythm: each beat the claims that are due, the ones that expired and what workers reported
// unchanged go into the log as one entry.
func (t *term) schedule(ctx context.Context) error {
	m := t.agent.machine
	touched := newTouchedQueue()
	m.follow(touched)
	defer m.follow(nil)
	defer t.agent.metrics.unwatch()
	s := refresh.NewScheduler(m.Read(), t.clock.instant())
	s.Late = t.agent.metrics.lateBy
	began := time.Now()
	tick := time.NewTicker(beat)
	defer tick.Stop()
	look := time.NewTimer(beat)
	defer look.Stop()
	var last time.Duration // when the last beat was
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-touched.ready:
			subjects, peers := touched.take()
			r, now := m.Read(), t.clock.instant()
			s.Update(r, subjects, now)
			if peers {
				s.Peers(r, now)
			}
			if at, ok := s.Look(); ok {
				look.Reset(max(at, last+lookAgain) - now.Mono)
			}
			continue
		case <-look.C:
		case <-tick.C:
		}
		for _, w := range t.hearing.news() {
			s.Heard(w.Peer.ID, w.Polls, w.Applied)
		}
		r, now := m.Read(), t.clock.instant()
		last = now.Mono
		for p := range r.Peers() {
			if p.ID != t.agent.id && t.hearing.silent(p.ID, began) {
				s.Silent(p.ID, now)
			}
		}
		t.batch.beat(s.Beat(r, t.ready(r), now))
		t.agent.metrics.watch(s, now)
		if at, ok := s.Look(); ok {
			look.Reset(max(at-now.Mono, lookAgain))
		}
	}
}

// lookAgain is how soon after a beat the next may come for what is to be looked at again.
const lookAgain = 50 * time.Millisecond

// ready are the peers that may get claims.
func (t *term) ready(r *fsm.Reader) []*fsm.Peer {
	a := t.agent
	applied := r.Meta().Index
	var out []*fsm.Peer
	for p := range r.Peers() {
		switch {
		case p.ID == a.id:
			if !a.idle() {
				out = append(out, p)
			}
		case p.Status == fsm.PeerAlive && t.hearing.ready(p.ID, applied):
			out = append(out, p)
		}
	}
	return out
}

const (
	retainEvery = time.Minute
	trimOver    = 10  // percent over a limit before trimming starts
	trimBite    = 500 // events of one command: to take away thousands at once costs the state ten times as much for each
)

// retain trims the events that are beyond a limit, once a minute at most.
func (t *term) retain(ctx context.Context) error {
	tick := time.NewTicker(retainEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if c := trim(t.agent.machine.Read(), t.clock.now()); c != nil {
			if err := t.trimTo(ctx, c); err != nil && ctx.Err() == nil {
				t.agent.log.Warn("events were not trimmed", "error", err)
			}
		}
	}
}

// trimTo trims in bites of at most trimBite events, so that no entry holds up the state for long.
func (t *term) trimTo(ctx context.Context, c *fsm.EventsTrim) error {
	for {
		m := t.agent.machine.Read().Meta()
		bite := &fsm.EventsTrim{First: min(c.First, m.First+trimBite)}
		if c.Audit > 0 {
			bite.Audit = max(c.Audit, m.Audits-trimBite)
		}
		if bite.First <= m.First && (bite.Audit == 0 || bite.Audit >= m.Audits) {
			return nil
		}
		if err := t.do(ctx, bite); err != nil {
			return err
		}
	}
}

// trim is the command that brings the events back within their limits, nil while none is over by a tenth.
func trim(r *fsm.Reader, now fsm.Time) *fsm.EventsTrim {
	m, keep := r.Meta(), r.Settings().Retention
	kept := int(m.Seq + 1 - m.First)
	first := m.First
	over := func(n, limit int64) bool { return n > limit+limit*trimOver/100 }
	if over(int64(kept), int64(keep.Events)) {
		first = max(first, m.Seq+1-uint64(keep.Events))
	}
	if over(m.Bytes, keep.Bytes) {
		first = max(first, r.EventsBeyond(keep.Bytes))
	}
	if old := now.Add(-keep.Age - keep.Age*trimOver/100); r.EventsSince(old)+1 > m.First {
		first = max(first, r.EventsSince(now.Add(-keep.Age))+1)
	}
	audit := 0
	if over(int64(m.Audits), int64(keep.Audit)) {
		audit = keep.Audit
	}
	if first == m.First && audit == 0 {
		return nil
	}
	return &fsm.EventsTrim{First: first, Audit: audit}
}
