package world

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/musterhq/muster/discovery"
	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

// peer is one peer: its state, what it has on disk, and the work it does.
type peer struct {
	w        *World
	id, name string
	labels   map[string]string
	member   bool // it has not left
	up       bool
	life     int // counts its starts
	skew     time.Duration

	state    *fsm.State
	pos      int // entries applied
	applying bool
	paused   time.Duration // it applies nothing before
	target   int           // entries there were when it started: it works once it has them
	open     bool
	pinned   bool  // a snapshot is being written
	disk     *save // the last one
	since    int   // entries since

	cut     time.Duration // it reaches no peer before
	blind   time.Duration // it reaches no node before
	leader  *peer         // whom it believes to lead
	term    *term         // while it believes that it leads itself
	tasks   []*task
	waiting []*task // for their replica
	heard   int     // words posted to a leader, so that only the last series of them goes on

	worker    *refresh.Worker
	runner    *discovery.Runner
	gathering bool
	nudges    map[*source]map[string]bool
}

// addPeer has a new peer join.
func (w *World) addPeer() {
	n := len(w.peers)
	p := &peer{
		w: w, id: fmt.Sprintf("01J%023d", n), name: fmt.Sprintf("peer-%d", n), member: true,
		labels: map[string]string{"zone": string(rune('a' + n%2))},
	}
	w.peers = append(w.peers, p)
	p.start()
}

func (p *peer) row() fsm.Peer {
	return fsm.Peer{ID: p.id, Name: p.name, Status: fsm.PeerAlive, Labels: p.labels, Release: 1}
}

// start begins with what is on disk.
func (p *peer) start() {
	w := p.w
	p.life++
	p.up, p.open, p.pinned, p.gathering, p.applying = true, false, false, false, false
	p.state, p.pos, p.since = fsm.NewState(), 0, 0
	p.nudges = map[*source]map[string]bool{}
	if p.disk != nil {
		p.load(p.disk)
	}
	p.target = len(w.log.entries)
	var err error
	p.worker, err = refresh.NewWorker(refresh.WorkerConfig{
		Claims: noClaims{}, Log: p, Replica: p, Logger: quiet, Registerer: unmetered{}, Now: w.wall,
	})
	if err == nil {
		p.runner, err = discovery.NewRunner(discovery.RunnerConfig{
			Peer: p.id, Claims: noClaims{}, Log: p, Replica: p, Registerer: unmetered{}, Now: w.wall,
			Backends: discovery.Backends{"model": p.backend},
		})
	}
	if err != nil {
		panic(err)
	}
	if h := w.log.holder; h != nil {
		p.follow(h.p)
	}
	p.caughtUp()
	p.more()
}

// crash ends a peer as a kill does.
func (p *peer) crash() {
	w := p.w
	p.up = false
	p.life++
	if p.term != nil {
		p.term.over = true
		if w.log.holder == p.term {
			w.log.holder = nil
		}
		p.term = nil
	}
	p.killTasks()
}

func (p *peer) killTasks() {
	for _, t := range slices.Clone(p.tasks) {
		t.kill()
	}
	p.tasks, p.waiting = nil, nil
}

// follow has the peer believe that another, or itself, leads, and tells that one that it lives.
func (p *peer) follow(leader *peer) {
	if !p.up || !p.member {
		return
	}
	p.leader = leader
	p.heard++
	p.post(p.heard)
}

// post tells the leader every second that the peer lives and how far it is.
func (p *peer) post(series int) {
	w := p.w
	if !p.up || !p.member || p.heard != series {
		return
	}
	if l := p.leader; l != nil && l != p && w.reach(p, l) {
		said := word{p, p.worker.Polls(), p.Read().Meta().Index, p.open}
		w.after(w.between(time.Millisecond, 50*time.Millisecond), func() {
			if l.up && l.term != nil {
				l.term.hear(said)
			}
		})
	}
	life := p.life
	w.after(time.Second, func() {
		if p.life == life {
			p.post(series)
		}
	})
}

// more has the peer apply what it lacks, in its own time.
func (p *peer) more() {
	w := p.w
	if !p.up || !p.member || p.applying || p.pos >= len(w.log.entries) {
		return
	}
	p.applying = true
	pace := w.between(2*time.Millisecond, 100*time.Millisecond)
	if w.log.holder != nil && w.log.holder.p == p || p.pos+8 < len(w.log.entries) {
		pace = w.between(0, 2*time.Millisecond)
	}
	pace = max(pace, p.paused-w.now, p.cut-w.now)
	life := p.life
	w.after(pace, func() {
		if p.life != life || !p.applying {
			return
		}
		p.applying = false
		if p.paused > w.now {
			p.more()
			return
		}
		for n := 1 + max(0, len(w.log.entries)-p.pos-8)/4; n > 0 && p.life == life; n-- {
			p.apply(w.log.entries[p.pos])
		}
		p.more()
	})
}

// apply applies one entry, and does what follows from it.
func (p *peer) apply(e *entry) {
	w := p.w
	a, err := p.state.Apply(e.index, e.raw)
	if err != nil {
		w.fail("I19", "%s stops at entry %d: %v", p.name, e.index, err)
	}
	p.pos++
	w.step("apply", p.name, e.index)
	w.check.same(p, e, a)
	p.save()
	if p.open {
		for _, c := range a.Granted {
			p.offer(c)
		}
	}
	if p.term != nil {
		p.term.applied(e, a)
	}
	p.caughtUp()
	for _, t := range slices.Clone(p.waiting) {
		t.poke()
	}
}

// caughtUp lets the peer work once it has what was committed when it started.
func (p *peer) caughtUp() {
	if !p.open && p.pos >= p.target && p.Read().Meta().Group != "" {
		p.open = true
		p.takeUp()
	}
	if p.term != nil {
		p.term.tryOpen()
	}
}

// takeUp works on the claims that name this peer already.
func (p *peer) takeUp() {
	for c := range p.Read().ClaimsOf(p.id) {
		p.offer(c)
	}
}

// Read is the replica of the worker and the runner.
func (p *peer) Read() *fsm.Reader { return p.state.Read() }

// WaitIndex waits until the replica has applied an entry.
func (p *peer) WaitIndex(ctx context.Context, index uint64) error {
	t := p.w.running
	if t.dead {
		return errDead
	}
	p.waiting = append(p.waiting, t)
	ok := t.await(limitOf(ctx, p.w.now+time.Minute), func() bool { return p.Read().Meta().Index >= index })
	p.waiting = slices.DeleteFunc(p.waiting, func(o *task) bool { return o == t })
	if !ok {
		return context.DeadlineExceeded
	}
	return nil
}

func limitOf(ctx context.Context, most time.Duration) time.Duration {
	if d, ok := ctx.(deadline); ok {
		return min(d.at, most)
	}
	return most
}

// reach says whether two peers can talk.
func (w *World) reach(a, b *peer) bool { return a == b || a.cut <= w.now && b.cut <= w.now }

// wall is the time by which work is timed.
func (w *World) wall() time.Time { return began.Std().Add(w.now) }

// noClaims is the queue of a worker whose claims are given to it one by one.
type noClaims struct{}

// Take is never called: nothing runs.
func (noClaims) Take(context.Context) ([]*fsm.Claim, error) { return nil, errDead }

var quiet = slog.New(slog.DiscardHandler)

// unmetered keeps no metrics.
type unmetered struct{}

// Register is prometheus.Registerer's.
func (unmetered) Register(prometheus.Collector) error { return nil }

// MustRegister is prometheus.Registerer's.
func (unmetered) MustRegister(...prometheus.Collector) {}

// Unregister is prometheus.Registerer's.
func (unmetered) Unregister(prometheus.Collector) bool { return true }
