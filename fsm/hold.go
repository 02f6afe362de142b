package fsm

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"
)

// Owned is one node that a discovery has a listing of, absent or not.
type Owned struct {
	NodeRef
	Kept bool // presence may not remove it: it carries an operator's word
}

// Verdict is the hold guard's word on a whole full read.
type Verdict struct {
	Hold bool  // no absence of this read counts
	Held *Held // what the discovery's row carries after the run; shared with the row where nothing changed
}

// maxHeldNamed is how many nodes of a held set are named, so that it fits an entry of the log; the hash covers all. Of a
// larger set, once released, only exactly itself passes.
const maxHeldNamed = 5000

// mayVanish is how many absences are never held, however small the source.
const mayVanish = 3

// Judge says whether the absences of a full read are to be held back, before any of it is applied. Owned is all listings of
// the discovery, read all it listed now.
//
// They are held when more are absent than max(3, max_shrink of what is owned), counted over all absent nodes and not per
// run, or when nothing at all was read of a source that owned anything. What is held stays so until a read without it
// disproves it or an operator releases exactly the set that was shown; a released set lets itself and any part of it pass,
// and is forgotten once the absences fit the limit again.
func Judge(owned []Owned, read []Record, d *Discovery, now Time) Verdict {
	absent := absences(owned, read)
	limit := max(mayVanish, len(owned)*int(d.Spec.MaxShrink)/100)
	nothing := len(read) == 0 && len(owned) > 0
	if len(absent) <= limit && !nothing {
		return Verdict{}
	}
	hash := hashRefs(absent)
	if d.Held != nil && d.Held.Released && (d.Held.Hash == hash || subset(absent, d.Held.Nodes)) {
		return Verdict{Held: d.Held}
	}
	if d.Held != nil && !d.Held.Released && d.Held.Hash == hash {
		return Verdict{Hold: true, Held: d.Held}
	}
	return Verdict{Hold: true, Held: &Held{
		Hash: hash, Nodes: absent[:min(len(absent), maxHeldNamed)], Count: len(absent), Owned: len(owned), Since: now,
	}}
}

// absences is the sorted nodes that are owned, not read, and that presence may remove.
func absences(owned []Owned, read []Record) []NodeRef {
	listed := make(map[NodeRef]bool, len(read))
	for i := range read {
		listed[NodeRef{read[i].Cluster, read[i].Node}] = true
	}
	var absent []NodeRef
	for _, o := range owned {
		if !o.Kept && !listed[o.NodeRef] {
			absent = append(absent, o.NodeRef)
		}
	}
	slices.SortFunc(absent, compareRefs)
	return absent
}

func compareRefs(a, b NodeRef) int {
	return cmp.Or(cmp.Compare(a.Cluster, b.Cluster), cmp.Compare(a.Node, b.Node))
}

// subset says whether every one of some is among all, which is sorted.
func subset(some, all []NodeRef) bool {
	for _, ref := range some {
		if _, ok := slices.BinarySearchFunc(all, ref, compareRefs); !ok {
			return false
		}
	}
	return true
}

// hashRefs names a sorted set of nodes in 32 hex digits, half a SHA-256: enough that nobody releases another set than the
// one shown. Names do not hold a line feed, so no two sets read alike.
func hashRefs(refs []NodeRef) string {
	h := sha256.New()
	for _, ref := range refs {
		h.Write([]byte(ref.String()))
		h.Write([]byte{'\n'})
	}
	return hex.EncodeToString(h.Sum(nil))[:32]
}
