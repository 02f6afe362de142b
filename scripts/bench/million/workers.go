package million

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/musterhq/muster/fsm"
)

// How long it takes from an entry of the leader until a worker has applied it, and until all nodes of a cluster have
// answered; and for how long a worker collects.
const (
	learnLeast, learnMost = 10 * time.Millisecond, 100 * time.Millisecond
	askLeast, askMost     = 2 * time.Millisecond, 30 * time.Millisecond
	collectFor            = 50 * time.Millisecond
	wayBack               = 5 * time.Millisecond
)

// workers are all peers as those who refresh.
type workers struct {
	rng   *rand.Rand
	asked []asked
	given map[string]int // polls, by peer
}

// asked is a round that has ended or will, with when its worker sends the batch that it is in.
type asked struct {
	claim *fsm.Claim
	sent  time.Duration
	took  time.Duration
	asOf  uint64
}

// take begins a round of a claim.
func (w *workers) take(c *fsm.Claim, now time.Duration, index uint64) {
	between := func(least, most time.Duration) time.Duration {
		return least + time.Duration(w.rng.Int64N(int64(most-least)))
	}
	took := between(askLeast, askMost)
	sent := (now + between(learnLeast, learnMost) + took).Truncate(collectFor) + collectFor
	w.asked = append(w.asked, asked{claim: c, sent: sent, took: took, asOf: index})
}

// frames are the batches that have reached the leader by now, as its workers made them.
func (w *workers) frames(now time.Duration) [][]byte {
	var here []asked
	w.asked = slices.DeleteFunc(w.asked, func(a asked) bool {
		if a.sent+wayBack <= now {
			here = append(here, a)
			return true
		}
		return false
	})
	slices.SortStableFunc(here, func(a, b asked) int {
		return cmp.Or(cmp.Compare(a.sent, b.sent), cmp.Compare(a.claim.Peer, b.claim.Peer))
	})
	var out [][]byte
	for len(here) > 0 {
		first, u := here[0], &fsm.RefreshUnchanged{AsOf: here[0].asOf}
		for len(here) > 0 && here[0].sent == first.sent && here[0].claim.Peer == first.claim.Peer {
			a := here[0]
			u.AsOf = min(u.AsOf, a.asOf)
			u.Add(a.claim.Subject.ID, a.claim.Token, fsm.DurationOf(a.took))
			here = here[1:]
		}
		out = append(out, fsm.Frame(u))
	}
	return out
}
