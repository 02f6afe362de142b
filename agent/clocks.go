package agent

import (
	"context"
	"slices"
	"time"

	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/agent/life"
	"github.com/musterhq/muster/agent/space"
	"github.com/musterhq/muster/fsm"
)

const (
	clockEvery  = time.Second
	clockOff    = 30 * time.Second // beyond it a clock is not to be led by
	clockAgain  = 10 * time.Second // before leadership is given away once more
	leastClocks = 3                // of two that differ nobody knows which is right
)

// clocks compares the wall clocks of the voters, as their words tell them, until ctx ends. A leader whose clock is further
// than clockOff from their median says so, in an event too, and gives leadership to a voter whose clock is not: logical time
// is the leader's, and a jump forward is followed for good.
func (t *term) clocks(ctx context.Context) error {
	a := t.agent
	defer a.metrics.clockOffset.Store(0)
	said, tried := false, time.Time{}
	for range life.Beats(ctx, clockEvery) {
		offset, better := t.compare()
		a.metrics.clockOffset.Store(int64(offset))
		if offset.Abs() <= clockOff {
			said = false
			continue
		}
		if !said {
			said = t.sayClockOff(ctx, offset)
		}
		if better == "" || time.Since(tried) < clockAgain {
			continue
		}
		tried = time.Now()
		if err := a.asker.HandOver(ctx, better); err != nil && ctx.Err() == nil {
			a.log.Warn("leadership was not given to a peer whose clock is right", "peer", better, "error", err)
		}
	}
	return nil
}

// sayClockOff tells people that the leader's clock is off; true once it is in the log.
func (t *term) sayClockOff(ctx context.Context, by time.Duration) bool {
	a := t.agent
	a.log.Error("the clock of this peer, which leads, is off: set it right", "ahead_of_the_others", by.Round(time.Millisecond).String())
	err := t.do(ctx, &fsm.OperatorAct{
		Action: "clock_off", Subject: a.cfg.Name, Cause: fsm.Cause{Kind: fsm.CauseGroup, Peer: a.cfg.Name},
	})
	if err != nil && ctx.Err() == nil {
		a.log.Warn("that the clock is off was not written", "error", err)
	}
	return err == nil
}

// compare says how far the leader's clock is ahead of the median of the voters that were heard lately, and which voter that
// keeps up and stays has a clock near it: the nearest. Of fewer than leastClocks there is no telling.
func (t *term) compare() (offset time.Duration, better raft.ServerID) {
	a := t.agent
	servers, err := a.configuration()
	if err != nil {
		return 0, ""
	}
	all, fit := []time.Duration{0}, map[raft.ServerID]time.Duration{} // ahead of the leader's
	for _, s := range servers {
		ahead, ok := t.hearing.ahead(string(s.ID), a.cfg.Seams.Now())
		if s.Suffrage != raft.Voter || string(s.ID) == a.id || !ok {
			continue
		}
		all = append(all, ahead)
		if w, _ := t.hearing.of(string(s.ID)); w.Disk < space.Full && t.hearing.ready(string(s.ID), a.machine.Read().Meta().Index) {
			fit[s.ID] = ahead
		}
	}
	if len(all) < leastClocks {
		return 0, ""
	}
	slices.Sort(all)
	median := (all[(len(all)-1)/2] + all[len(all)/2]) / 2
	near := clockOff
	for id, ahead := range fit {
		if by := (ahead - median).Abs(); by < near {
			near, better = by, id
		}
	}
	return -median, better
}

// ahead is how far a peer's wall clock is ahead of this one's, by what was heard of it lately.
func (h *hearing) ahead(peer string, now time.Time) (time.Duration, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	w, ok := h.peers[peer]
	since := time.Since(w.at)
	if !ok || since >= heardFor || w.Clock == 0 {
		return 0, false
	}
	return w.Clock.Sub(fsm.TimeOf(now)).Std() + since, true
}
