package refresh

import (
	"cmp"
	"slices"

	"github.com/musterhq/muster/fsm"
)

// room is how many polls each ready peer can still take in this beat.
type room struct {
	all   []*seat // of the ready peers
	on    map[string]*bench
	limit int
	open  int // seats of benches with anything left
}

// seat is the room of one peer.
type seat struct {
	peer    *fsm.Peer
	hash    uint64
	left    int
	empty   bool // it has no claim
	trusted bool // it is not suspended
	single  bool // it gets one claim, of whatever size
	busy    bool // with that one
	runs    int
	open    bool // it counts in the room's open
}

// bench is the seats of the peers that an `on` allows and that may get claims. An only one always may, and where every one is
// suspended all may: a peer that is not trusted is better than none.
type bench struct {
	seats []*seat
	only  bool // there is no other ready peer that it allows
}

func (l *loads) free(ready []*fsm.Peer, limit int, now Instant) *room {
	f := &room{limit: limit, on: map[string]*bench{}}
	for _, p := range ready {
		w := l.of(p.ID)
		f.all = append(f.all, &seat{
			peer: p, hash: hashOf(p.ID), left: limit - w.used(), empty: w.polls == 0, trusted: w.until <= now.Mono,
			single: w.single, busy: w.single && w.claims > 0, runs: runsMost - w.runs,
		})
	}
	return f
}

// full says whether no peer has room, neither for what comes next, which an `on` allows to some, nor for what comes after it.
func (f *room) full(on string) bool {
	next, others := f.allowed(on), f.allowed(fsm.OnAny)
	return f.open == 0 && len(next.seats) > 0 && len(others.seats) > 0
}

func (f *room) allowed(on string) *bench {
	if b, ok := f.on[on]; ok {
		return b
	}
	there := slices.DeleteFunc(slices.Clone(f.all), func(t *seat) bool { return !fsm.Allows(on, t.peer) })
	choice := slices.ContainsFunc(there, func(t *seat) bool { return t.trusted })
	b := &bench{only: len(there) == 1}
	for _, t := range there {
		if choice && !t.trusted || t.busy && !b.only {
			continue
		}
		if b.seats = append(b.seats, t); t.left > 0 && !t.open {
			t.open = true
			f.open++
		}
	}
	f.on[on] = b
	return b
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
	f.spend(t, polls)
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
