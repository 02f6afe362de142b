package world

import (
	"github.com/musterhq/muster/fsm"
)

// proposal is a command on its way into an entry. Reply may be nil.
type proposal struct {
	frame []byte
	reply func(fsm.Result, outcome)
}

type outcome int

const (
	accepted   outcome = iota // into the log, with a result
	notApplied                // surely not
	unknown
)

func (p *proposal) settle(res fsm.Result, o outcome) {
	if p.reply != nil {
		p.reply(res, o)
	}
}

// add takes a proposal: what is unhurried waits for the beat, the rest goes within a moment.
func (t *term) add(p *proposal, unhurried bool) {
	switch {
	case t.over || t.sched == nil:
		p.settle(fsm.Result{}, notApplied)
	case unhurried:
		t.later = append(t.later, p)
	default:
		if t.hurried = append(t.hurried, p); len(t.hurried) == 1 {
			t.w.after(coalesce, func() {
				batch := t.hurried
				t.hurried = nil
				t.send(batch)
			})
		}
	}
}

// send puts a batch into an entry.
func (t *term) send(batch []*proposal) {
	if t.over || len(batch) == 0 {
		return
	}
	if batch = t.admit(batch); len(batch) == 0 {
		return
	}
	frames := make([][]byte, 0, len(batch))
	for _, p := range batch {
		frames = append(frames, p.frame)
	}
	t.unsettled = append(t.unsettled, batch...)
	now := t.instant()
	t.w.check.proposes(t, now)
	if t.w.log.append(t.w, t, fsm.Entry(now.Time, frames...), batch) == nil {
		t.w.count.add("entry of a leader that leads no more")
		t.w.step("refused", t.p.name, t.number)
	}
}
