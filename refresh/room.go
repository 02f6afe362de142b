package refresh

import (
	"cmp"
	"slices"

	"github.com/musterhq/muster/fsm"
)

// room is how many polls each ready peer can still take in this beat.
type room struct {
	seats []*seat
	on    map[string][]*seat // those that an `on` allows
	limit int
	open  int // seats with anything left
}

// seat is the room of one peer.
type seat struct {
	peer   *fsm.Peer
	hash   uint64
	left   int
	empty  bool // it has no claim
	single bool // it gets one claim, of whatever size
	runs   int
}

// free is the room of the ready peers that may get claims. An only ready peer always may, and where every one is suspended
// all may: a peer that is not trusted is better than none.
func (l *loads) free(ready []*fsm.Peer, limit int, now Instant) *room {
	f := &room{limit: limit}
	trusted := func(p *fsm.Peer) bool { return l.of(p.ID).until <= now.Mono }
	choice := slices.ContainsFunc(ready, trusted)
	for _, p := range ready {
		w := l.of(p.ID)
		if choice && !trusted(p) || len(ready) > 1 && w.single && w.claims > 0 {
			continue
		}
		t := &seat{
			peer: p, hash: hashOf(p.ID), left: limit - w.used(), empty: w.polls == 0,
			single: w.single && len(ready) > 1, runs: runsMost - w.runs,
		}
		if f.seats = append(f.seats, t); t.left > 0 {
			f.open++
		}
	}
	f.on = map[string][]*seat{fsm.OnAny: f.seats}
	return f
}

func (f *room) full() bool { return f.open == 0 }

func (f *room) allowed(on string) []*seat {
	seats, ok := f.on[on]
	if !ok {
		for _, t := range f.seats {
			if fsm.Allows(on, t.peer) {
				seats = append(seats, t)
			}
		}
		f.on[on] = seats
	}
	return seats
}

// runners are those that may begin another run.
func (f *room) runners(seats []*seat) []*seat {
	return slices.DeleteFunc(slices.Clone(seats), func(t *seat) bool { return t.runs <= 0 })
}

// spend takes polls of a seat; fewer are left than before.
func (f *room) spend(t *seat, polls int) {
	if t.left > 0 && t.left <= polls {
		f.open--
	}
	t.left, t.empty = t.left-polls, false
}

// keep lets a peer get nothing more in this beat, so that it empties.
func (f *room) keep(t *seat) { f.spend(t, max(t.left, 0)) }

// take takes polls of the first seat that has them: of those that have tried the least, the first in placement order. A
// subject bigger than the limit goes alone, to a peer with nothing else.
func (f *room) take(s fsm.Subject, seats []*seat, polls int, tried map[string]int) *seat {
	t := first(s, seats, tried, func(t *seat) bool { return t.left >= polls || t.empty && polls > f.limit })
	if t == nil {
		return nil
	}
	if f.spend(t, polls); t.single {
		f.keep(t)
	}
	return t
}

// first is the seat that comes first for a subject, of those that fit.
func first(s fsm.Subject, seats []*seat, tried map[string]int, fits func(*seat) bool) *seat {
	var best *seat
	var high uint64
	for _, t := range seats {
		if !fits(t) {
			continue
		}
		x := spread(s, t.hash)
		if best == nil || cmp.Or(
			cmp.Compare(tried[t.peer.ID], tried[best.peer.ID]), cmp.Compare(high, x), cmp.Compare(t.peer.ID, best.peer.ID),
		) < 0 {
			best, high = t, x
		}
	}
	return best
}
