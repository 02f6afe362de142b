package bootstrap

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// partnersLimit bounds how many peers a holder keeps account of. What has been
// handed back is never forgotten, so a peer that has met more must be looked
// at by a human.
const partnersLimit = 256

// Peer is another peer as it is seen now, however that is: alive or not, of
// this group or none. Peers that have left are not shown.
type Peer struct {
	ID     string
	Name   string // for messages
	Expect int    // its bootstrap-expect, 0 for none
	Alive  bool
	Worker bool
	HasLog bool   // it has a raft log
	Group  string // id of the group it is in, "" for none
}

// Promises is everything one voter-to-be has promised and been promised: what
// its file holds. The methods are pure: they return the next value and leave
// this one alone. The next value must be on disk before anybody learns of it.
type Promises struct {
	ID string `json:"id"` // whose promises these are

	// To is the peer this one has promised itself to, "" for none; Serial
	// numbers the promise, and never falls.
	To     string `json:"to,omitempty"`
	Serial uint64 `json:"serial"`

	// Held are the promises this peer holds, by who made them; Returned are
	// the highest it has handed back, which it will never hold again.
	Held     map[string]uint64 `json:"held,omitempty"`
	Returned map[string]uint64 `json:"returned,omitempty"`

	// Founding are the members of the group this peer has decided to found.
	// Once set, nothing is handed back any more.
	Founding []string `json:"founding,omitempty"`
}

// Offer is a promise on its way to its holder.
type Offer struct {
	From   string `json:"from"`
	To     string `json:"to"`
	Serial uint64 `json:"serial"`
	Expect int    `json:"expect"` // of the one who promises
}

// Answer is what became of an Offer.
type Answer struct {
	State State `json:"state"`
}

// State says whether a promise is held.
type State string

// A promise that came after the decision is neither held nor returned: the
// peer stays bound and will be taken into the group once it runs.
const (
	Held     State = "held"
	Returned State = "returned"
	Founded  State = "founded"
)

// Refusals of an Offer. It has then changed nothing.
var (
	ErrNotMine = errors.New("bootstrap: the promise is for another peer")
	ErrUnfit   = errors.New("bootstrap: the promise is malformed")
	ErrCrowded = errors.New("bootstrap: too many peers have promised")
)

// Verb is what a Step asks for.
type Verb int

// Wait asks for nothing; Promise asks to send Action.Offer; Found asks to
// bootstrap raft with exactly Action.Set.
const (
	Wait Verb = iota
	Promise
	Found
)

// Action is what a Step asks for and why.
type Action struct {
	Verb  Verb
	Offer Offer    // with Promise
	Set   []string // with Found; sorted

	Seen     []string // the voters-to-be that count, this peer included; sorted
	Disagree []Peer   // voters-to-be that expect another number; sorted by id
	Group    *Peer    // with Wait: somebody who is already in a group
}

// Step moves on by what is seen now. expect is this peer's bootstrap-expect,
// at least 1; seen may contain this peer, which always counts itself.
func (p Promises) Step(expect int, seen []Peer) (Promises, Action) {
	act := p.survey(expect, seen)
	if act.Group != nil {
		return p, act
	}
	if len(p.Founding) > 0 {
		act.Verb, act.Set = Found, slices.Clone(p.Founding)
		return p, act
	}
	lowest := act.Seen[0]
	if lowest < p.ID && len(p.Held) > 0 {
		p = p.handBack()
	}
	if p.To == "" && len(act.Seen) >= expect {
		p = p.promise(lowest)
	}
	switch {
	case p.To == p.ID && len(p.Held) >= expect:
		p = p.decide(expect)
		act.Verb, act.Set = Found, slices.Clone(p.Founding)
	case p.To != "" && p.To != p.ID:
		act.Verb, act.Offer = Promise, Offer{From: p.ID, To: p.To, Serial: p.Serial, Expect: expect}
	}
	return p, act
}

// survey sorts out who is seen.
func (p Promises) survey(expect int, seen []Peer) Action {
	act := Action{Seen: []string{p.ID}}
	for _, x := range seen {
		switch {
		case x.ID == p.ID:
		case x.HasLog || x.Group != "":
			if act.Group == nil || x.ID < act.Group.ID {
				act.Group = &x
			}
		case !x.Alive || x.Worker || x.Expect == 0:
		case x.Expect != expect:
			act.Disagree = append(act.Disagree, x)
		default:
			act.Seen = append(act.Seen, x.ID)
		}
	}
	slices.Sort(act.Seen)
	act.Seen = slices.Compact(act.Seen)
	slices.SortFunc(act.Disagree, func(a, b Peer) int { return strings.Compare(a.ID, b.ID) })
	return act
}

// promise binds this peer to another, or to itself.
func (p Promises) promise(to string) Promises {
	p.To = to
	p.Serial++
	if to == p.ID {
		p.Held = with(p.Held, p.ID, p.Serial)
	}
	return p
}

// handBack gives up everything held, this peer's own promise included.
func (p Promises) handBack() Promises {
	returned := maps.Clone(p.Returned)
	if returned == nil {
		returned = map[string]uint64{}
	}
	for from, serial := range p.Held {
		returned[from] = max(returned[from], serial)
	}
	p.Held, p.Returned = nil, returned
	if p.To == p.ID {
		p.To = ""
	}
	return p
}

// decide settles on this peer and the lowest of the others whose promises it
// holds.
func (p Promises) decide(expect int) Promises {
	others := slices.DeleteFunc(slices.Sorted(maps.Keys(p.Held)), func(id string) bool { return id == p.ID })
	p.Founding = append([]string{p.ID}, others[:expect-1]...)
	slices.Sort(p.Founding)
	return p
}

// Receive takes an Offer from another peer. The Answer may be given once the
// returned value is on disk. A promise that cannot lead anywhere now, because
// a lower voter-to-be is seen or the two expect different numbers, is handed
// back at once.
func (p Promises) Receive(o Offer, expect int, seen []Peer) (Promises, Answer, error) {
	switch {
	case o.To != p.ID:
		return p, Answer{}, fmt.Errorf("%w: %s, this is %s", ErrNotMine, o.To, p.ID)
	case o.From == "" || o.From == p.ID || o.Serial == 0:
		return p, Answer{}, ErrUnfit
	case o.Serial <= p.Returned[o.From]:
		return p, Answer{State: Returned}, nil
	case p.Held[o.From] >= o.Serial:
		return p, Answer{State: Held}, nil
	case len(p.Founding) > 0:
		return p, Answer{State: Founded}, nil
	case !p.knows(o.From) && len(p.Held)+len(p.Returned) >= partnersLimit:
		return p, Answer{}, ErrCrowded
	}
	act := p.survey(expect, seen)
	if act.Group == nil && (act.Seen[0] < p.ID || o.Expect != expect) {
		p.Held = without(p.Held, o.From)
		p.Returned = with(p.Returned, o.From, o.Serial)
		return p, Answer{State: Returned}, nil
	}
	p.Held = with(p.Held, o.From, o.Serial)
	return p, Answer{State: Held}, nil
}

func (p Promises) knows(id string) bool {
	return p.Held[id] > 0 || p.Returned[id] > 0
}

// Heed takes the Answer to an Offer this peer has sent. Only the answer to the
// promise that still stands can release it.
func (p Promises) Heed(o Offer, a Answer) Promises {
	if a.State == Returned && o.To == p.To && o.Serial == p.Serial {
		p.To = ""
	}
	return p
}

// equal tells whether two values would be the same file.
func (p Promises) equal(q Promises) bool {
	return p.ID == q.ID && p.To == q.To && p.Serial == q.Serial &&
		maps.Equal(p.Held, q.Held) && maps.Equal(p.Returned, q.Returned) && slices.Equal(p.Founding, q.Founding)
}

// check refuses a value no sequence of steps leads to.
func (p Promises) check() error {
	switch {
	case p.ID == "":
		return errors.New("no id")
	case p.To != "" && p.Serial == 0:
		return errors.New("a promise without a serial")
	case (p.To == p.ID) != (p.Held[p.ID] > 0):
		return errors.New("its own promise is not where it should be")
	case len(p.Founding) > 0 && !slices.Contains(p.Founding, p.ID):
		return errors.New("it founds a group without itself")
	}
	for id, serial := range p.Held {
		if serial <= p.Returned[id] {
			return fmt.Errorf("holds a promise of %s that it has handed back", id)
		}
	}
	for _, id := range p.Founding {
		if p.Held[id] == 0 {
			return fmt.Errorf("founds with %s, whose promise it does not hold", id)
		}
	}
	return nil
}

func with(m map[string]uint64, id string, serial uint64) map[string]uint64 {
	out := maps.Clone(m)
	if out == nil {
		out = map[string]uint64{}
	}
	out[id] = serial
	return out
}

func without(m map[string]uint64, id string) map[string]uint64 {
	out := maps.Clone(m)
	delete(out, id)
	return out
}
