package world

import (
	"time"

	"github.com/musterhq/muster/fsm"
)

const (
	stopWait = 5 * time.Second
	giveBack = stopWait / 3
)

// stops has a peer stop in good order: it takes no more work, says so, gives its claims back and hands leadership over. Then
// it is away for a while, perhaps to come back with a later release.
func (a *adversary) stops(p *peer) bool {
	if p == nil || !p.open || p.draining {
		return false
	}
	w := a.w
	p.killTasks()
	p.draining = true
	p.say()
	life := p.life
	p.spawn(func(t *task) {
		p.giveBack(t)
		w.after(0, func() {
			if p.life == life {
				a.away(p)
			}
		})
	})
	return true
}

// worker is a peer that has claims, or any other.
func (a *adversary) worker() *peer {
	for _, p := range a.w.peers {
		if p.up && p.member && a.some(2) != nil {
			for range p.Read().ClaimsOf(p.id) {
				return p
			}
		}
	}
	return a.some(2)
}

// giveBack abandons the claims of this peer until there are none left at an entry from after the leader knew that it stops.
func (p *peer) giveBack(t *task) {
	ctx := deadline{t, p.w.now + giveBack}
	for {
		c := &fsm.ClaimAbandon{Error: "the peer is stopping"}
		for x := range p.Read().ClaimsOf(p.id) {
			c.Claims = append(c.Claims, x.Ticket())
		}
		res, err := p.Propose(ctx, c)
		if err == nil {
			err = p.WaitIndex(ctx, res.Index)
		}
		if err != nil {
			p.w.count.add("claims not given back")
			return
		}
		if len(c.Claims) == 0 {
			return
		}
	}
}

// away is down for a peer that has stopped: another leads at once.
func (a *adversary) away(p *peer) {
	leads := a.leader() == p
	a.down(p)
	if next := a.some(1); leads && next != nil {
		a.w.log.elect(a.w, next, false)
	}
}
