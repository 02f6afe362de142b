package world

import (
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/musterhq/muster/fsm"
)

// nudge tells the watcher of a source that some clusters moved there. The watcher is whoever leads, and a nudge that gets
// lost costs time until the next full read and nothing else.
func (w *World) nudge(s *source, clusters ...string) {
	w.after(w.between(5*time.Millisecond, 500*time.Millisecond), func() {
		h := w.log.holder
		if h == nil || !h.p.up || h.sched == nil {
			w.count.add("nudge lost")
			return
		}
		p := h.p
		names := p.nudges[s]
		if names == nil {
			names = map[string]bool{}
			p.nudges[s] = names
		}
		for _, c := range clusters {
			names[c] = true
		}
		p.spawn(func(t *task) { p.askRun(t, s) })
	})
}

// askRun asks for a run of what moved; where a run is open already what moved is kept until that has closed.
func (p *peer) askRun(t *task, s *source) {
	for range 10 {
		names := slices.Sorted(maps.Keys(p.nudges[s]))
		d := p.Read().Discovery(s.name)
		if len(names) == 0 || d == nil || !d.Spec.Enabled || d.Deleting {
			return
		}
		p.nudges[s] = map[string]bool{}
		res, err := p.Propose(deadline{t, forever}, &fsm.ClaimGrant{
			Kind: fsm.KindRun, Peer: p.id, TTL: 75 * fsm.Second, Reason: fsm.WhyNudge, IDs: []uint64{d.ID}, Names: names,
		})
		if err == nil {
			err = res.Err()
		}
		if err == nil {
			p.w.count.add("nudge granted")
			return
		}
		for _, name := range names {
			p.nudges[s][name] = true
		}
		if !errors.Is(err, fsm.ErrClaimed) || !t.sleep(time.Second) {
			return
		}
		p.w.count.add("nudge kept")
	}
}
