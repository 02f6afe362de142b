package world

import (
	"slices"
	"time"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

// The rhythm of the agent.
const (
	beat      = 250 * time.Millisecond
	coalesce  = 2 * time.Millisecond
	lookAgain = 50 * time.Millisecond
	heardFor  = 2 * time.Second
	failAfter = 10 * time.Second
	silentFor = 3 * time.Second
	maxBehind = 256
)

// term is what a peer does from when it believes to lead until it knows that it does not.
type term struct {
	w      *World
	p      *peer
	number uint64
	began  time.Duration
	clock  refresh.Clock
	sched  *refresh.Scheduler // nil until its first entry was applied here
	over   bool

	asked     bool // its first entry is in the log
	hurried   []*proposal
	later     []*proposal
	unsettled []*proposal // in entries that were not applied here
	words     map[*peer]word
	heardAt   map[*peer]time.Duration
	news      []word
	last      time.Duration // when the last beat was, in the term
	look      time.Duration // when the next is because of a look
	rows      map[string]time.Duration
}

// word is what a peer says of itself every second.
type word struct {
	from    *peer
	polls   int
	applied uint64
	open    bool
	release uint32
}

func newTerm(p *peer, number uint64) *term {
	return &term{
		w: p.w, p: p, number: number, words: map[*peer]word{}, heardAt: map[*peer]time.Duration{},
		rows: map[string]time.Duration{},
	}
}

// tryOpen writes the first entry of the term once this peer has applied what earlier leaders committed: its barrier.
func (t *term) tryOpen() {
	if t.asked || t.over || t.p.pos < len(t.w.log.entries) {
		return
	}
	t.asked, t.began = true, t.w.now
	m := t.p.Read().Meta()
	t.clock = refresh.NewClock(m.Time)
	var commands []fsm.Command
	if m.Group == "" {
		commands = append(commands, &fsm.GroupCreate{Group: "g", Epoch: "e1", Feature: fsm.BirthLevel})
	}
	row := t.p.row()
	commands = append(commands, &fsm.PeerSet{Peer: row}, &fsm.LeaderChange{ID: t.p.id, Name: t.p.name, Term: t.number})
	batch := make([]*proposal, 0, len(commands))
	for _, c := range commands {
		batch = append(batch, &proposal{frame: fsm.Frame(c)})
	}
	t.send(batch)
}

// instant is now, as this leader has it.
func (t *term) instant() refresh.Instant {
	return t.clock.Instant(t.p.wall(), t.w.now-t.began)
}

// wall is the peer's own clock.
func (p *peer) wall() fsm.Time { return began.Add(fsm.DurationOf(p.w.now + p.skew)) }

// applied is told of each entry that this peer applied.
func (t *term) applied(e *entry, a *fsm.Applied) {
	if t.over {
		return
	}
	if e.term == t {
		t.unsettled = slices.DeleteFunc(t.unsettled, func(p *proposal) bool { return slices.Contains(e.batch, p) })
		for i, p := range e.batch {
			p.settle(a.Results[i], accepted)
		}
		if t.sched == nil {
			t.start()
			return
		}
	}
	if t.sched == nil {
		return
	}
	r, now := t.p.Read(), t.instant()
	t.sched.Update(r, a.Touched, now)
	if a.Peers {
		t.sched.Peers(r, now)
	}
	if at, ok := t.sched.Look(); ok {
		t.lookAt(max(at, t.last+lookAgain), now.Mono)
	}
}

func (t *term) start() {
	t.sched = refresh.NewScheduler(t.p.Read(), t.instant())
	t.w.step("leads", t.p.name, t.number)
	t.every(beat, t.beat)
	t.every(500*time.Millisecond, t.reconcile)
	t.every(t.w.foe.retainEvery, t.retain)
}

// every repeats something while the term lasts.
func (t *term) every(d time.Duration, do func()) {
	t.w.after(d, func() {
		if !t.over {
			do()
			t.every(d, do)
		}
	})
}

func (t *term) lookAt(at, mono time.Duration) {
	if t.look > mono && t.look <= at {
		return
	}
	t.look = at
	t.w.after(max(at-mono, 0), func() {
		if !t.over && t.look == at {
			t.beat()
		}
	})
}

// beat is what the leader does four times a second, and when something is to be looked at again.
func (t *term) beat() {
	for _, n := range t.news {
		t.sched.Heard(n.from.id, n.polls, n.applied)
	}
	t.news = nil
	r, now := t.p.Read(), t.instant()
	t.silent(now)
	t.last = now.Mono
	batch := t.later
	t.later = nil
	for _, c := range t.sched.Beat(r, t.ready(r), now) {
		batch = append(batch, &proposal{frame: fsm.Frame(c)})
	}
	if at, ok := t.sched.Look(); ok {
		t.lookAt(now.Mono+max(at-now.Mono, lookAgain), now.Mono)
	}
	t.send(batch)
}

// ready are the peers that may get claims.
func (t *term) ready(r *fsm.Reader) (out []*fsm.Peer) {
	applied := r.Meta().Index
	for row := range r.Peers() {
		p := t.w.byID(row.ID)
		w, heard := t.words[p]
		switch {
		case p == t.p && p.open && !p.draining:
			out = append(out, row)
		case heard && row.Status == fsm.PeerAlive && t.w.now-t.heardAt[p] < heardFor && w.open && w.applied+maxBehind >= applied:
			out = append(out, row)
		}
	}
	return out
}

func (t *term) hear(w word) {
	if t.sched != nil && !t.over {
		t.words[w.from], t.heardAt[w.from] = w, t.w.now
		t.news = append(t.news, w)
	}
}

// stop ends the term: raft has told that this peer does not lead any more, or leads anew.
func (t *term) stop() {
	if t.over {
		return
	}
	t.over = true
	if t.p.term == t {
		t.p.term = nil
	}
	t.w.step("stop", t.p.name, t.number)
	for _, p := range t.unsettled {
		p.settle(fsm.Result{}, unknown)
	}
	for _, p := range slices.Concat(t.hurried, t.later) {
		p.settle(fsm.Result{}, notApplied)
	}
	t.unsettled, t.hurried, t.later = nil, nil, nil
}

func (w *World) byID(id string) *peer {
	for _, p := range w.peers {
		if p.id == id {
			return p
		}
	}
	return nil
}
