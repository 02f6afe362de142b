package fsm

import (
	"fmt"
	"slices"
)

// Version is the version a command is written in, and the last one of its kind.
func Version(c Command) (is, last uint64) { return wireVersion(c), uint64(len(kindOf(c).levels)) }

// Kinds is how many kinds of commands there are.
func Kinds() int { return len(kinds) }

// AddVersion lets a kind have one more version, which needs a feature level, until undone.
func AddVersion(c Command, level uint32) (undo func()) {
	k := kindOf(c)
	was := k.levels
	k.levels = append(slices.Clone(was), level)
	return func() { k.levels = was }
}

// AddPastWord adds a word that is remembered from a feature level on, until undone.
func AddPastWord(word string, level uint32) (undo func()) {
	was := pastWords
	pastWords = append(slices.Clone(was), pastWords[0])
	pastWords[len(was)].word, pastWords[len(was)].level = word, level
	return func() { pastWords = was }
}

// PastWords are the words that are remembered, each with its number before it and the level it needs after it.
func PastWords() (out []string) {
	for i, w := range pastWords {
		out = append(out, fmt.Sprintf("%d %q %d", i, w.word, w.level))
	}
	return out
}

// PackedNode is a node that was packed and unpacked again.
func PackedNode(n *Node) *Node { return unpacked(packed(n, packNode), packNode) }

// PackedListing is a listing that was packed and unpacked again.
func PackedListing(l *Listing) *Listing { return unpacked(packed(l, packListing), packListing) }

// EventPages is how many rows the events take.
func EventPages(r *Reader) (n int) {
	for range scan[page](r, tableEvents, byID, nil) {
		n++
	}
	return n
}

// Plain is a row of a snapshot's table as it is read where it is written plainly, to be kept or to pass; false where that is
// left to Decoded.
func Plain(table byte, raw []byte, passing bool) (row any, ok bool) {
	for _, t := range storedTables {
		if t.number == table {
			row = t.blank()
			ok = (&plain{in: raw, passing: passing}).read(t.read, row)
		}
	}
	return row, ok
}

// Decoded is a row of a snapshot's table as the decoder of every shape reads it.
func Decoded(table byte, raw []byte) (row any, err error) {
	for _, t := range storedTables {
		if t.number == table {
			row = t.blank()
			err = decode(raw, row)
		}
	}
	return row, err
}
