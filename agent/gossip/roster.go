package gossip

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// rosterLimit bounds how many members are known, the departed included.
const rosterLimit = 1024

var errFull = errors.New("roster is full")

// roster is everything known of members. Its lock is a leaf: it is never held
// while calling anything, since memberlist's delegates take it with
// memberlist's own lock held.
type roster struct {
	mu       sync.Mutex
	self     Member // as this peer says it; Status and Since from memberlist
	said     []byte // self as memberlist carries it
	others   map[string]*entry
	changed  chan struct{}
	frozen   bool              // Run has ended: what memberlist still says is no news
	moved    bool              // somebody holds this peer at another address
	disputed map[string]string // id to the other address, "" once that is logged

	poke chan struct{} // wakes Run; holds one
}

type entry struct {
	Member
	reported string // the foreign group that was logged
}

func newRoster(self Member) (*roster, error) {
	said, err := encodeMeta(self)
	if err != nil {
		return nil, err
	}
	self = self.clone()
	self.Status, self.Since, self.GossipAddr = Stopped, time.Time{}, ""
	return &roster{
		self: self, said: said,
		others: map[string]*entry{}, disputed: map[string]string{},
		changed: make(chan struct{}), poke: make(chan struct{}, 1),
	}, nil
}

// announce wakes every reader. The lock is held.
func (r *roster) announce() {
	close(r.changed)
	r.changed = make(chan struct{})
	r.nudge()
}

func (r *roster) nudge() {
	select {
	case r.poke <- struct{}{}:
	default:
	}
}

// say changes what this peer tells of itself. Nothing changes when the result
// does not fit.
func (r *roster) say(change func(*Member)) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	next := r.self.clone()
	change(&next)
	next.ID, next.GossipAddr, next.Status, next.Since = r.self.ID, r.self.GossipAddr, r.self.Status, r.self.Since
	said, err := encodeMeta(next)
	if err != nil {
		return err
	}
	r.self, r.said = next.clone(), said
	r.announce()
	return nil
}

func (r *roster) spoken() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.said
}

func (r *roster) watch() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.changed
}

// saw takes in a member that is alive, or what a living one says anew.
func (r *roster) saw(m Member, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.frozen {
		return
	}
	if m.ID == r.self.ID {
		if r.self.Status != Alive {
			r.self.Status, r.self.Since = Alive, now
		}
		r.self.GossipAddr = m.GossipAddr
		r.announce()
		return
	}
	e := r.others[m.ID]
	if e == nil {
		e = &entry{}
		r.others[m.ID] = e
	}
	m.Status, m.Since = Alive, now
	if e.Status == Alive {
		m.Since = e.Since
	}
	e.Member = m
	delete(r.disputed, m.ID)
	r.announce()
}

// lost takes in a departure.
func (r *roster) lost(id string, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.frozen {
		return
	}
	m := &r.self
	if id != m.ID {
		e := r.others[id]
		if e == nil {
			return
		}
		m = &e.Member
	}
	m.Status, m.Since = departed(m.Intent), now
	r.announce()
}

// admit says whether there is room for id, forgetting the longest departed
// member if that makes some.
func (r *roster) admit(id string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if id == r.self.ID || r.others[id] != nil || len(r.others) < rosterLimit-1 {
		return nil
	}
	var oldest *entry
	for _, e := range r.others {
		if e.Status != Alive && (oldest == nil || e.Since.Before(oldest.Since)) {
			oldest = e
		}
	}
	if oldest == nil {
		return errFull
	}
	delete(r.others, oldest.ID)
	return nil
}

// dispute notes that id is claimed at two addresses.
func (r *roster) dispute(id, other string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if id == r.self.ID {
		r.moved = true
	}
	if _, known := r.disputed[id]; !known && len(r.disputed) < rosterLimit {
		r.disputed[id] = other
		r.nudge()
	}
}

// disputes gives the contradictions that were not reported yet.
func (r *roster) disputes() map[string]string {
	r.mu.Lock()
	defer r.mu.Unlock()
	fresh := map[string]string{}
	for id, other := range r.disputed {
		if other != "" {
			fresh[id], r.disputed[id] = other, ""
		}
	}
	return fresh
}

// takeMoved tells whether this peer was contradicted since the last call.
func (r *roster) takeMoved() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	moved := r.moved
	r.moved = false
	return moved
}

// expire forgets those who have been gone for keep.
func (r *roster) expire(now time.Time, keep time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := len(r.others)
	maps.DeleteFunc(r.others, func(_ string, e *entry) bool {
		return e.Status != Alive && now.Sub(e.Since) >= keep
	})
	if len(r.others) != before {
		r.announce()
	}
}

func (r *roster) freeze() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.frozen = true
}

// foreign says whether m belongs to another raft group. The lock is held.
func (r *roster) foreign(m Member) bool {
	return m.Group != "" && r.self.Group != "" && m.Group != r.self.Group
}

// members are this peer and all of its group that are known, sorted by id.
func (r *roster) members() []Member {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := []Member{r.self.clone()}
	for _, e := range r.others {
		if !r.foreign(e.Member) {
			out = append(out, e.clone())
		}
	}
	slices.SortFunc(out, func(a, b Member) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// member gives what is known of one peer of this group.
func (r *roster) member(id string) (Member, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if id == r.self.ID {
		return r.self.clone(), true
	}
	e := r.others[id]
	if e == nil || r.foreign(e.Member) {
		return Member{}, false
	}
	return e.clone(), true
}

// solitary tells whether nobody else is or was known.
func (r *roster) solitary() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.others) == 0
}

// strangers gives the members of other groups that were not reported yet, and
// how many there are in all.
func (r *roster) strangers() (fresh []Member, total int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.others {
		if !r.foreign(e.Member) {
			continue
		}
		total++
		if e.reported != e.Group {
			e.reported = e.Group
			fresh = append(fresh, e.clone())
		}
	}
	return fresh, total
}
