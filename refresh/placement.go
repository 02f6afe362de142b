package refresh

import (
	"cmp"
	"hash/fnv"
	"slices"

	"github.com/musterhq/muster/fsm"
)

// Place orders peers for a subject by rendezvous hashing, best first: each subject sticks to its peer while that is there,
// and when a peer goes only its own subjects move. The order depends on ids alone.
func Place(s fsm.Subject, peers []*fsm.Peer) []*fsm.Peer {
	out := slices.Clone(peers)
	slices.SortFunc(out, func(a, b *fsm.Peer) int {
		return cmp.Or(cmp.Compare(score(s, b.ID), score(s, a.ID)), cmp.Compare(a.ID, b.ID))
	})
	return out
}

func score(s fsm.Subject, peer string) uint64 { return spread(s, hashOf(peer)) }

func hashOf(peer string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(peer)) // never fails
	return h.Sum64()
}

func spread(s fsm.Subject, peer uint64) uint64 {
	x := peer ^ (s.ID<<2|uint64(s.Kind))*0x9e3779b97f4a7c15
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	return x
}
