package bootstrap_test

import (
	"fmt"
	"maps"
	"slices"

	"github.com/musterhq/muster/agent/bootstrap"
)

// world is several peers, what is on their disks, and everything that was ever
// sent: any of it may arrive at any time, any number of times, or never. It is
// driven one atomic step at a time by somebody who wishes it ill.
type world struct {
	expect  int
	ids     []string
	disk    map[string]bootstrap.Promises
	founded map[string][]string // sets that raft was bootstrapped with
	offers  []bootstrap.Offer
	answers []reply
}

type reply struct {
	offer  bootstrap.Offer
	answer bootstrap.Answer
}

func newWorld(peers, expect int) *world {
	w := &world{expect: expect, disk: map[string]bootstrap.Promises{}, founded: map[string][]string{}}
	for i := range peers {
		id := string(rune('a' + i))
		w.ids = append(w.ids, id)
		w.disk[id] = bootstrap.Promises{ID: id}
	}
	return w
}

// peers is what is true of the others now, of which a view shows a part.
func (w *world) peers() []bootstrap.Peer {
	var out []bootstrap.Peer
	for _, id := range w.ids {
		out = append(out, bootstrap.Peer{ID: id, Expect: w.expect, Alive: true, HasLog: w.hasLog(id)})
	}
	return out
}

// hasLog tells whether raft has reached id: it founded, or somebody founded
// with it.
func (w *world) hasLog(id string) bool {
	for _, set := range w.founded {
		if slices.Contains(set, id) {
			return true
		}
	}
	return false
}

// step lets id look at view. When it crashes, the step's effects outside are
// missing, and with torn so is the write.
func (w *world) step(id string, view []bootstrap.Peer, crash, torn bool) bootstrap.Action {
	if w.hasLog(id) {
		return bootstrap.Action{}
	}
	next, act := w.disk[id].Step(w.expect, view)
	if !torn {
		w.disk[id] = next
	}
	if crash || torn {
		return act
	}
	switch act.Verb {
	case bootstrap.Promise:
		w.send(act.Offer)
	case bootstrap.Found:
		w.founded[id] = act.Set
	}
	return act
}

func (w *world) send(o bootstrap.Offer) {
	if !slices.Contains(w.offers, o) {
		w.offers = append(w.offers, o)
	}
}

// deliver brings an offer to its holder, who answers unless its write is torn.
func (w *world) deliver(o bootstrap.Offer, view []bootstrap.Peer, torn bool) reply {
	next, answer, err := w.disk[o.To].Receive(o, w.expect, view)
	r := reply{o, answer}
	if err != nil || torn {
		return r
	}
	w.disk[o.To] = next
	if !slices.Contains(w.answers, r) {
		w.answers = append(w.answers, r)
	}
	return r
}

// heed brings an answer back.
func (w *world) heed(r reply) {
	w.disk[r.offer.From] = w.disk[r.offer.From].Heed(r.offer, r.answer)
}

// sound checks what must hold at every moment.
func (w *world) sound() error {
	holder := map[string]string{}
	for _, h := range w.ids {
		for from, serial := range w.disk[h].Held {
			if p := w.disk[from]; p.To != h || p.Serial != serial {
				return fmt.Errorf("%s holds %s's promise %d, which is promised to %q by %d", h, from, serial, p.To, p.Serial)
			}
		}
		if p := w.disk[h]; (p.To == h) != (p.Held[h] > 0) {
			return fmt.Errorf("%s is promised to %q and holds %d of its own", h, p.To, p.Held[h])
		}
		if set, ok := w.founded[h]; ok && !slices.Equal(set, w.disk[h].Founding) {
			return fmt.Errorf("%s founded %v and wrote %v", h, set, w.disk[h].Founding)
		}
		for _, id := range w.disk[h].Founding {
			if other, taken := holder[id]; taken {
				return fmt.Errorf("%s is in the sets of %s and %s", id, other, h)
			}
			holder[id] = h
		}
		if n := len(w.disk[h].Founding); n != 0 && n != w.expect {
			return fmt.Errorf("%s founds with %d of %d", h, n, w.expect)
		}
	}
	if len(w.ids) < 2*w.expect && len(w.founded) > 1 {
		return fmt.Errorf("two groups: %v", w.founded)
	}
	return nil
}

func (w *world) clone() *world {
	c := *w
	c.disk, c.founded = maps.Clone(w.disk), maps.Clone(w.founded)
	c.offers, c.answers = slices.Clone(w.offers), slices.Clone(w.answers)
	return &c
}

// settle lets everybody stay up, see everybody and be answered, and tells
// whether a group came of it.
func (w *world) settle() bool {
	for range 12 {
		for _, id := range w.ids {
			act := w.step(id, w.peers(), false, false)
			if len(w.founded) > 0 {
				return true
			}
			if act.Verb != bootstrap.Promise {
				continue
			}
			w.heed(w.deliver(act.Offer, w.peers(), false))
		}
	}
	return false
}
