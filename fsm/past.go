package fsm

import "encoding/binary"

// MaxPast is how many runs of a discovery or refreshes of a cluster are remembered.
const MaxPast = 20

const maxPastError = 200 // bytes of the error of one that is remembered

// Past is how the last runs of a discovery or refreshes of a cluster went, at most MaxPast, oldest first. There is one for
// each cluster and every completion adds to it, so it is packed: a fifth of the rows' size, and one allocation to add to it.
// It is immutable.
type Past []byte

// pastWords are the words of what is remembered, by their number in a Past: never reordered. An earlier release reads a word
// that it does not know as the end. So each that is added names the feature level from which on it is written; below it every
// peer remembers no word.
var pastWords = []struct {
	word  string
	level uint32
}{
	{word: ""},
	{word: OutcomeChanged},
	{word: OutcomeUnchanged},
	{word: OutcomeFailed},
	{word: OutcomeHeld},
	{word: OutcomeGivenBack},
	{word: OutcomeExpired},
	{word: WhyDue},
	{word: WhyAsked},
	{word: WhyNudge},
	{word: WhyConfirm},
	{word: WhyOdd},
	{word: WhyDelete},
}

func pastWord(word string, level uint32) byte {
	for i, w := range pastWords {
		if w.word == word && w.level <= level {
			return byte(i)
		}
	}
	return 0
}

// with is p with w added as a group at a feature level does, and the oldest let go.
func (p Past) with(w Work, level uint32) Past {
	kept := pastReader{p}
	for n := p.len(); n >= MaxPast; n-- {
		kept.entry()
	}
	failure := cut(w.Error, maxPastError)
	out := make(Past, 0, len(kept.left)+len(w.Peer)+len(failure)+32)
	out = append(out, kept.left...)
	out = binary.AppendVarint(out, int64(w.At))
	out = binary.AppendVarint(out, int64(w.Took))
	out = binary.AppendUvarint(out, uint64(max(w.Records, 0)))
	out = append(out, pastWord(w.Outcome, level), pastWord(w.Reason, level))
	out = append(binary.AppendUvarint(out, uint64(len(w.Peer))), w.Peer...)
	return append(binary.AppendUvarint(out, uint64(len(failure))), failure...)
}

func (p Past) len() (n int) {
	for r := (pastReader{p}); len(r.left) > 0; n++ {
		r.entry()
	}
	return n
}

// Work is what is remembered, the latest first.
func (p Past) Work() []Work {
	out := make([]Work, p.len())
	r := pastReader{p}
	for i := len(out) - 1; i >= 0; i-- {
		e := r.entry()
		out[i] = Work{
			At: e.at, Took: e.took, Records: e.records, Outcome: pastWords[e.outcome].word,
			Reason: pastWords[e.reason].word, Peer: string(e.peer), Error: string(e.failure),
		}
	}
	return out
}

// pastEntry is one that is remembered, its texts still where they are packed.
type pastEntry struct {
	at              Time
	took            Duration
	records         int
	outcome, reason byte
	peer, failure   Past
}

// pastReader reads from the oldest on. Whatever else its bytes hold reads as their end.
type pastReader struct{ left Past }

func (r *pastReader) entry() pastEntry {
	return pastEntry{
		at: Time(r.varint()), took: Duration(r.varint()), records: int(r.uvarint()),
		outcome: r.word(), reason: r.word(), peer: r.text(), failure: r.text(),
	}
}

func (r *pastReader) varint() int64 {
	v, n := binary.Varint(r.left)
	r.skip(n)
	return v
}

func (r *pastReader) uvarint() uint64 {
	v, n := binary.Uvarint(r.left)
	r.skip(n)
	return v
}

func (r *pastReader) skip(n int) {
	if n <= 0 {
		r.left = nil
		return
	}
	r.left = r.left[n:]
}

func (r *pastReader) word() byte {
	if len(r.left) == 0 || int(r.left[0]) >= len(pastWords) {
		r.left = nil
		return 0
	}
	word := r.left[0]
	r.left = r.left[1:]
	return word
}

func (r *pastReader) text() Past {
	n := r.uvarint()
	if n > uint64(len(r.left)) {
		r.left = nil
		return nil
	}
	text := r.left[:n]
	r.left = r.left[n:]
	return text
}
