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
	release  uint32
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
	draining bool  // it stops, and takes no more work
	pinned   bool  // a snapshot is being written
	disk     *save // the last one
	since    int   // entries since

	cut     time.Duration // it reaches no peer before
	blind   time.Duration // it reaches no node before
	mute    time.Duration // its reports reach nobody before
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
		labels: map[string]string{"zone": string(rune('a' + n%2))}, release: w.release(),
	}
	w.peers = append(w.peers, p)
	p.start()
}

func (p *peer) row() fsm.Peer {
	return fsm.Peer{ID: p.id, Name: p.name, Status: fsm.PeerAlive, Labels: p.labels, Release: p.release}
}

// start begins with what is on disk.
func (p *peer) start() {
	w := p.w
	p.life++
	p.up, p.open, p.pinned, p.gathering, p.applying, p.draining = true, false, false, false, false, false
	if p.life > 1 {
		p.upgrade()
	}
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
	p.say()
	life := p.life
	w.after(time.Second, func() {
		if p.life == life {
			p.post(series)
		}
	})
}

// say tells the leader once.
func (p *peer) say() {
	w := p.w
	if l := p.leader; l != nil && l != p && w.reach(p, l) {
		said := word{p, p.worker.Polls(), p.Read().Meta().Index, p.open && !p.draining, p.release}
		w.after(w.between(time.Millisecond, 50*time.Millisecond), func() {
			if l.up && l.term != nil {
				l.term.hear(said)
			}
		})
	}
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
