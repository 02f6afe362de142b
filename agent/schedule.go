package agent

import (
	"context"
	"time"

	"github.com/musterhq/muster/agent/entries"
	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

// schedule is the leader's rhythm: each beat the claims that are due, the ones that expired and what workers reported
// unchanged go into the log as one entry.
func (t *term) schedule(ctx context.Context) error {
	m := t.agent.machine
	touched, unfollow := m.Follow()
	defer unfollow()
	defer t.agent.metrics.unwatch()
	s := refresh.NewScheduler(m.Read(), t.clock.Instant())
	s.Late = t.agent.metrics.lateBy
	began := time.Now()
	tick := time.NewTicker(entries.Beat)
	defer tick.Stop()
	look := time.NewTimer(entries.Beat)
	defer look.Stop()
	var last time.Duration // when the last beat was
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-touched.Ready():
			subjects, peers := touched.Take()
			r, now := m.Read(), t.clock.Instant()
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
		r, now := m.Read(), t.clock.Instant()
		last = now.Mono
		for p := range r.Peers() {
			if p.ID != t.agent.id && t.hearing.silent(p.ID, began) {
				s.Silent(p.ID, now)
			}
		}
		t.batch.Beat(s.Beat(r, t.ready(r), now))
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
