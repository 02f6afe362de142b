package world

import (
	"time"
)

// log is the ideal log: what is committed stays, in order. Of what is in flight when the leader changes some is kept.
type log struct {
	entries   []*entry // committed; indexes have gaps, as raft's own entries never reach a state
	flight    []*entry
	last      uint64 // index of the last entry given one
	number    uint64 // of the term
	holder    *term  // who may append; nil while nobody leads
	committed time.Duration
}

// entry is one entry of the log, with those who wait for what comes of it.
type entry struct {
	index uint64
	raw   []byte
	term  *term
	batch []*proposal
	lost  bool
	whole bool // raw is a snapshot that takes the place of the state
}

// append takes an entry of a leader, nil when it leads no more.
func (l *log) append(w *World, t *term, raw []byte, batch []*proposal) *entry {
	if l.holder != t {
		return nil
	}
	l.last++
	e := &entry{index: l.last, raw: raw, term: t, batch: batch}
	l.flight = append(l.flight, e)
	at := max(w.now+w.between(time.Millisecond, w.foe.commits), l.committed)
	l.committed = at
	w.after(at-w.now, func() {
		if l.holder == t && !e.lost && len(l.flight) > 0 && l.flight[0] == e {
			l.commit(w)
		}
	})
	return e
}

// commit commits the first entry in flight.
func (l *log) commit(w *World) {
	e := l.flight[0]
	l.flight = l.flight[1:]
	l.entries = append(l.entries, e)
	w.trace.mixBytes(e.raw)
	w.check.commit(e)
	for _, p := range w.peers {
		p.more()
	}
}

// decide says what becomes of the entries in flight when another term begins.
func (l *log) decide(w *World) {
	for keep := w.rng.IntN(len(l.flight) + 1); keep > 0; keep-- {
		w.count.add("entry kept by the next leader")
		l.commit(w)
	}
	for _, e := range l.flight {
		e.lost = true
		w.count.add("entry lost with its leader")
	}
	if len(l.flight) > 0 {
		l.last = l.flight[0].index - 1
	}
	l.flight = nil
}

// elect has a peer lead. Whoever led learns of it later, unless it is the same peer and its signals are merged.
func (l *log) elect(w *World, p *peer, merged bool) {
	old := l.holder
	l.holder = nil
	l.decide(w)
	if old != nil {
		late := w.between(0, 3*time.Second)
		if old.p == p || merged {
			late = 0
		}
		if late == 0 {
			old.stop()
		} else {
			w.after(late, old.stop)
		}
	}
	if p.term != nil && !p.term.over { // it led before and had not noticed yet
		p.term.stop()
	}
	l.number++
	w.count.add("term")
	w.step("elect", p.name, l.number)
	l.begin(w, p)
}

// begin has a peer work as the leader of this term.
func (l *log) begin(w *World, p *peer) {
	l.last++ // raft's own first entry of a term, and after a restore
	t := newTerm(p, l.number)
	l.holder, p.term = t, t
	for _, other := range w.peers {
		w.after(w.between(time.Millisecond, 400*time.Millisecond), func() {
			if l.holder == t {
				other.follow(p)
			}
		})
	}
	p.follow(p)
	p.paused = 0
	p.more()
	t.tryOpen()
}
