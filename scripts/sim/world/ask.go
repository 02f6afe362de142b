package world

import (
	"context"
	"time"

	"github.com/musterhq/muster/fsm"
)

const (
	proposeWait  = 10 * time.Second
	proposePause = 25 * time.Millisecond
)

// Propose takes a command to the leader as the agent does: what surely was not applied is tried again, and what its token
// fences also where nobody knows.
func (p *peer) Propose(ctx context.Context, c fsm.Command) (fsm.Result, error) {
	t := p.w.running
	limit := limitOf(ctx, p.w.now+proposeWait)
	frame := fsm.Frame(c)
	for {
		if t.dead {
			return fsm.Result{}, errDead
		}
		if p.muted(c) {
			t.sleep(limit - p.w.now)
			return fsm.Result{}, fsm.Errorf(fsm.CodeUnknown, "nobody knows")
		}
		res, o := p.try(t, frame, c, limit)
		if o == accepted {
			return res, nil
		}
		if o == unknown {
			p.w.count.add("outcome unknown")
		}
		if o == unknown && !fsm.Fenced(c) || !t.sleep(proposePause) || p.w.now >= limit {
			if o == unknown {
				return fsm.Result{}, fsm.Errorf(fsm.CodeUnknown, "nobody knows")
			}
			return fsm.Result{}, fsm.Errorf(fsm.CodeUnavailable, "nobody leads")
		}
	}
}

// call is one try of a proposal.
type call struct {
	t    *task
	over bool
	res  fsm.Result
	out  outcome
}

func (c *call) end(res fsm.Result, o outcome) {
	if !c.over {
		c.over, c.res, c.out = true, res, o
		c.t.poke()
	}
}

// try sends a command once to whom this peer believes to lead.
func (p *peer) try(t *task, frame []byte, c fsm.Command, limit time.Duration) (fsm.Result, outcome) {
	w, late := p.w, fsm.Unhurried(c)
	x := &call{t: t, out: unknown}
	switch {
	case p.term != nil:
		here := p.term
		reply := func(res fsm.Result, o outcome) { w.after(0, func() { x.end(res, o) }) }
		here.add(&proposal{frame, reply}, late)
	case p.leader == nil || p.leader == p:
		return fsm.Result{}, notApplied
	default:
		limit = min(limit, w.now+w.between(time.Second, 4*time.Second))
		p.request(x, p.leader, frame, late)
	}
	t.await(limit, func() bool { return x.over })
	x.over = true
	return x.res, x.out
}

// request is a command on its way to another peer, and its answer back, through the network.
func (p *peer) request(x *call, to *peer, frame []byte, late bool) {
	w := p.w
	deliver := func() {
		if !w.reach(p, to) || !to.up {
			return
		}
		if to.term == nil {
			w.after(time.Millisecond, func() { x.end(fsm.Result{}, notApplied) })
			return
		}
		to.term.add(&proposal{frame, func(res fsm.Result, o outcome) {
			if w.foe.loses("answer") {
				return
			}
			back := w.between(time.Millisecond, 20*time.Millisecond)
			w.after(back, func() {
				if w.reach(p, to) {
					x.end(res, o)
				}
			})
		}}, late)
	}
	if !w.foe.loses("request") {
		w.after(w.between(time.Millisecond, 20*time.Millisecond), deliver)
	}
	if w.foe.repeats() {
		w.after(w.between(time.Millisecond, 20*time.Second), deliver)
	}
}
