package world

import (
	"time"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

// thirdParty is the kind of prober that asks one place about all nodes.
const thirdParty = "third"

// asked is what a claim's holder was told: by a source, or by the nodes in each of its rounds, as it really was.
type asked struct {
	claim  *fsm.Claim
	reads  reads // several where its holder began anew, as with rounds
	rounds []*answers
}

// answers is what the nodes of one round would have said in full, each when it was asked, and what they did say.
type answers struct {
	peer    *peer
	spec    fsm.RefreshSpec
	seen    fsm.Time        // when the cluster was last refreshed, as the peer had it
	asked   map[string]bool // the nodes; others may have come since the round began
	nodes   map[string]fsm.Report
	asks    int  // how often polls were begun
	pending int  // polls under way
	failed  bool // the third party did not answer
	closed  bool // what comes now is not in the report
}

// hear takes what a node says to one of the polls that were begun together, unless nobody waits for those any more.
func (a *answers) hear(node string, truth fsm.Report, ask int) {
	if !a.closed && ask == a.asks {
		a.nodes[node] = truth
	}
}

func (w *World) askedOf(c *fsm.Claim) *asked {
	a := w.asked[c.Ticket()]
	if a == nil {
		a = &asked{claim: c}
		w.asked[c.Ticket()] = a
	}
	return a
}

// offer begins the work of a claim of this peer's.
func (p *peer) offer(c *fsm.Claim) {
	if c.Peer != p.id || p.draining {
		return
	}
	p.w.step("begin", p.name, c.Token)
	if c.Subject.Kind == fsm.KindRefresh {
		p.spawn(func(t *task) { p.refresh(t, c) })
		return
	}
	p.spawn(func(t *task) {
		t.claim = c
		p.runner.Do(deadline{t, p.w.now + 10*time.Minute}, c)
	})
}

// refresh does one round, as the worker does.
func (p *peer) refresh(t *task, c *fsm.Claim) {
	w := p.w
	ctx := deadline{t, w.now + c.TTL.Std()}
	steps := p.worker.Steps(c)
	if steps == nil {
		return
	}
	a := w.askedOf(c)
	r := p.Read()
	said := &answers{
		peer: p, asked: map[string]bool{}, nodes: map[string]fsm.Report{}, spec: r.RefreshOf(r.ClusterByID(c.Subject.ID)),
		seen: r.Schedule(c.Subject).Observed,
	}
	a.rounds = append(a.rounds, said)
	for again := true; again; {
		polls := steps.Ask(thirdParty)
		p.poll(t, said, polls)
		for next := w.now + refresh.Patience; said.pending > 0; {
			t.await(next, func() bool { return said.pending == 0 })
			if t.dead {
				return
			}
			if said.pending == 0 {
				break
			}
			wait, over := polls.Late(ctx)
			if over {
				w.count.add("passed over")
				break
			}
			next = w.now + wait
		}
		said.closed = true
		if again = steps.End(ctx); again {
			said.closed = false
			w.count.add("asked once more")
		}
	}
	p.gather()
}

// poll asks the nodes, each of which answers in its own time.
func (p *peer) poll(t *task, said *answers, polls *refresh.Polls) {
	w, life := p.w, p.life
	said.asks++
	ask := said.asks
	said.pending = len(polls.Questions)
	open := len(polls.Questions)
	ended := func(n int) {
		if ask == said.asks {
			said.pending -= n
		}
		if open -= n; open == 0 {
			polls.Over()
		}
		t.poke()
	}
	if open == 0 {
		polls.Over()
	}
	third := false
	for _, q := range polls.Questions {
		said.asked[q.Node] = true
		if q.Kind == thirdParty {
			third = true
			continue
		}
		w.after(w.fleet.takes(p, q), func() {
			if p.life != life {
				return
			}
			x, truth := w.fleet.answer(p, q)
			said.hear(q.Node, truth, ask)
			w.tell(step{w.now, "answer", p.name, uint64(q.At), q.Node})
			polls.Hear(q, x)
			ended(1)
		})
	}
	if !third {
		return
	}
	w.after(w.between(time.Millisecond, 2*time.Second), func() {
		if p.life != life {
			return
		}
		var reports []fsm.Report
		for _, q := range polls.Questions {
			if q.Kind == thirdParty {
				x, truth := w.fleet.answer(nil, refresh.Question{Target: q.Target})
				said.hear(q.Node, truth, ask)
				reports = append(reports, x.Report)
			}
		}
		err := w.fleet.thirdFails(p)
		w.step("third", p.name, uint64(len(reports)))
		if err != nil {
			said.failed = true
			w.count.add("fault")
			w.count.add("fault third party fails")
		}
		polls.HearThird(thirdParty, reports, err)
		ended(len(reports))
	})
}

// gather sends what rounds found unchanged, together.
func (p *peer) gather() {
	if p.gathering {
		return
	}
	p.gathering = true
	life := p.life
	p.w.after(50*time.Millisecond, func() {
		if p.life != life {
			return
		}
		p.gathering = false
		if batch := p.worker.Unchanged(); batch != nil {
			p.spawn(func(t *task) { _, _ = p.Propose(deadline{t, p.w.now + 15*time.Second}, batch) })
		}
	})
}
