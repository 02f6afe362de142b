package world

import (
	"time"

	"github.com/musterhq/muster/fsm"
)

// pulse is when a subject was last claimed because it was due, at one interval.
type pulse struct {
	interval fsm.Duration
	at       [3]time.Duration
}

// granted checks that a due claim has a slot of its own (I27), and that what is due comes no faster than time goes, whatever
// the clocks do (I28).
func (b *bookkeeping) granted(s fsm.Subject, c *fsm.Claim) {
	b.last[s] = c.Token
	b.open[s] = &held{Claim: c, renewed: b.w.now}
	b.w.count.add("granted " + s.Kind.String() + " " + c.Reason)
	was := b.before.Schedule(s)
	recent := b.before.Wait(fsm.SetDiscoveries).Index+8 > b.entry.index // who granted may not have known the settings yet
	if c.Reason != fsm.WhyDue || was == nil || was.AtOnce || recent {
		delete(b.due, s)
		return
	}
	interval := intervalOf(b.before, s)
	if s.Kind == fsm.KindRun && was.Last.Outcome == fsm.OutcomeFailed { // tried again sooner, and longer each time
		interval = fsm.Second
	}
	if slot := min(fsm.NextSlot(s, interval, was.Done), was.Done.Add(interval)); slot > c.Granted {
		b.w.fail("I27", "entry %d: %s %d is claimed at %d; its slot after %d is at %d", b.entry.index, s.Kind, s.ID, c.Granted,
			was.Done, slot)
	}
	p := b.due[s]
	if p.interval != interval {
		p = pulse{interval: interval}
	}
	p.at = [3]time.Duration{p.at[1], p.at[2], b.w.now}
	b.due[s] = p
	// A jump of the clock or a new leader moves the phase of the slots.
	if first := p.at[0]; first > 0 && b.w.now-first < interval.Std() && b.w.check.jumpedAt < first && b.w.log.holder != nil &&
		b.w.log.holder.began < first {
		b.w.fail("I28", "entry %d: %s %d is due three times within %s", b.entry.index, s.Kind, s.ID, b.w.now-first)
	}
}

func intervalOf(r *fsm.Reader, s fsm.Subject) fsm.Duration {
	if s.Kind == fsm.KindRun {
		return r.DiscoveryByID(s.ID).Spec.Interval
	}
	return r.RefreshOf(r.ClusterByID(s.ID)).Interval
}
