package world

import (
	"time"
)

// adversary decides what goes wrong. What it likes to do, and how often, differs from seed to seed.
type adversary struct {
	w       *World
	every   time.Duration // about so often it does something
	commits time.Duration // how long an entry may take to be committed
	loss    int           // one in so many messages is lost; 0 for none
	twice   int           // one in so many requests comes again later
	third   bool          // third parties fail every other time
	resting bool
	likes   []act

	saveEvery   int
	retainEvery time.Duration
	downMost    time.Duration
}

// act is something that the adversary does; it says false where there was nothing to do.
type act struct {
	name string
	do   func(a *adversary) bool
}

func newAdversary(w *World) adversary {
	a := adversary{
		w: w, every: w.between(50*time.Millisecond, 1500*time.Millisecond),
		commits:   w.between(2*time.Millisecond, 150*time.Millisecond),
		saveEvery: 5 + w.rng.IntN(80), retainEvery: w.between(time.Second, 20*time.Second),
		downMost: w.between(time.Second, 30*time.Second),
	}
	if w.rng.IntN(3) > 0 {
		a.loss = 3 + w.rng.IntN(30)
	}
	if w.rng.IntN(3) > 0 {
		a.twice = 2 + w.rng.IntN(20)
	}
	for _, group := range [][]act{groupActs, fleetActs, sourceActs, operatorActs} {
		for _, x := range group {
			if w.rng.IntN(4) > 0 { // swarm: each seed leaves some kinds out, so that others come about more often
				a.likes = append(a.likes, x)
			}
		}
	}
	return a
}

// act does one thing, and comes again.
func (a *adversary) act() {
	if a.resting {
		return
	}
	if len(a.likes) > 0 {
		if x := pick(a.w, a.likes); x.do(a) {
			a.w.count.add("fault")
			a.w.count.add("fault " + x.name)
			a.w.step("adversary", x.name, 0)
		}
	}
	a.w.after(a.w.between(a.every/4, 2*a.every), a.act)
}

// loses says whether a message is lost.
func (a *adversary) loses(what string) bool {
	if a.resting || a.loss == 0 || !a.w.chance(a.loss) {
		return false
	}
	a.w.count.add("fault")
	a.w.count.add("fault " + what + " lost")
	return true
}

func (a *adversary) repeats() bool {
	if a.resting || a.twice == 0 || !a.w.chance(a.twice) {
		return false
	}
	a.w.count.add("fault")
	a.w.count.add("fault request comes again")
	return true
}

// some is a peer that lives, nil where there is none but one.
func (a *adversary) some(least int) *peer {
	var up []*peer
	for _, p := range a.w.peers {
		if p.up && p.member {
			up = append(up, p)
		}
	}
	if len(up) < least {
		return nil
	}
	return pick(a.w, up)
}

func (a *adversary) leader() *peer {
	if h := a.w.log.holder; h != nil {
		return h.p
	}
	return nil
}

// succeed has somebody else lead after a while, where nobody does then.
func (a *adversary) succeed() {
	w := a.w
	w.after(w.between(500*time.Millisecond, 3*time.Second), func() {
		if w.log.holder != nil {
			return
		}
		if p := a.some(1); p != nil {
			w.log.elect(w, p, false)
		} else {
			a.succeed()
		}
	})
}

// down crashes a peer and starts it again later.
func (a *adversary) down(p *peer) bool {
	if p == nil {
		return false
	}
	leads := a.leader() == p
	p.crash()
	a.w.after(a.w.between(50*time.Millisecond, a.downMost), func() {
		if p.member && !p.up {
			p.start()
		}
	})
	if leads {
		a.succeed()
	}
	return true
}

// install gives the peer that lags the most the state of the one that is furthest.
func (a *adversary) install() bool {
	var last, first *peer
	for _, p := range a.w.peers {
		if !p.up || !p.member || p.cut > a.w.now {
			continue
		}
		if p.term == nil && (last == nil || p.pos < last.pos) {
			last = p
		}
		if first == nil || p.pos > first.pos {
			first = p
		}
	}
	if last == nil || last.pos == first.pos {
		return false
	}
	last.paused = 0
	last.install(first)
	return true
}

func (a *adversary) jump(d time.Duration) bool {
	p := a.some(1)
	if a.w.chance(2) {
		p = a.leader()
	}
	if p == nil || p.skew+d > 72*time.Hour || p.skew+d < -72*time.Hour {
		return false
	}
	p.skew += d
	a.w.check.jumped()
	return true
}
