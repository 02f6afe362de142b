package fsm

import (
	"bytes"
	"cmp"
	"math"
	"reflect"
	"unicode/utf8"
)

// A peer that starts reads hundreds of thousands of rows and events, all of which were written by this package, keys in
// order and nothing left over. plain reads just that, at a fraction of what decode takes to be ready for anything. It
// decides nothing: what is not written so, or is not as its type wants it, is left to decode, and what plain reads decode
// reads the same.
type plain struct {
	in      []byte // all of it
	at      int    // where the next item begins
	passing bool   // the row is soon let go, so that its texts may share the memory of one
	text    string // in, once a text of a passing row was wanted
	told    bool   // there was a fact
}

// read reads all there is into what row points at; false when that is left to decode, into another row. Maps that row has
// stay its maps.
func (p *plain) read(s shape, row any) bool {
	return s(p, reflect.ValueOf(row).Elem()) && p.at == len(p.in)
}

// The major types of CBOR.
const (
	majorUint   = 0
	majorMinus  = 1
	majorBytes  = 2
	majorText   = 3
	majorList   = 4
	majorMap    = 5
	majorSimple = 7

	simpleFalse = 20
	simpleTrue  = 21
)

// head is the next item's type and its number, which is what the type makes of it. Of what this package never writes the
// type is 0xff.
func (p *plain) head() (major byte, n uint64) {
	if p.at >= len(p.in) {
		return math.MaxUint8, 0
	}
	b := p.in[p.at]
	p.at++
	major, n = b>>5, uint64(b&31)
	if n < 24 {
		return major, n
	}
	size := 1 << (n - 24)
	if n > 27 || major == majorSimple || len(p.in)-p.at < size {
		return math.MaxUint8, 0
	}
	n = 0
	for _, b := range p.in[p.at : p.at+size] {
		n = n<<8 | uint64(b)
	}
	p.at += size
	return major, n
}

// many is how many items, or pairs of them, the next item has, which is of a type; false when they cannot be there.
func (p *plain) many(want byte, most int) (int, bool) {
	major, n := p.head()
	return int(n), major == want && n <= uint64(most) && n <= uint64(len(p.in)-p.at) //nolint:gosec // it is bounded first
}

// chars are those of the next item, a text or bytes.
func (p *plain) chars(want byte) ([]byte, bool) {
	major, n := p.head()
	if major != want || n > uint64(len(p.in)-p.at) {
		return nil, false
	}
	p.at += int(n) //nolint:gosec // no more than there are
	return p.in[p.at-int(n) : p.at], true
}

// word is the characters of the next item, a text.
func (p *plain) word() ([]byte, bool) {
	chars, ok := p.chars(majorText)
	return chars, ok && utf8.Valid(chars)
}

// string is the word that was just read.
func (p *plain) string(word []byte) string {
	if !p.passing {
		return string(word)
	}
	if p.text == "" {
		p.text = string(p.in)
	}
	return p.text[p.at-len(word) : p.at]
}

// words reads a map of texts, of which shorter keys come first.
func (p *plain) words(into reflect.Value) bool {
	n, ok := p.many(majorMap, maxPairs)
	if !ok || n == 0 {
		return false
	}
	var out map[string]string
	if into.IsValid() {
		if out, _ = reflect.TypeAssert[map[string]string](into); out == nil {
			out = make(map[string]string, n)
			into.Set(reflect.ValueOf(out))
		}
	}
	var last []byte
	for i := range n {
		word, good := p.word()
		if !good || i > 0 && cmp.Or(cmp.Compare(len(last), len(word)), bytes.Compare(last, word)) >= 0 {
			return false
		}
		last = word
		key := ""
		if out != nil {
			key = p.string(word)
		}
		if word, good = p.word(); !good {
			return false
		}
		if out != nil {
			out[key] = p.string(word)
		}
	}
	return true
}

// keptEvent reads an event as it is kept, and checks that it decodes.
func keptEvent(row, event shape) shape {
	return func(p *plain, into reflect.Value) bool {
		if !into.IsValid() || !row(p, into) {
			return false
		}
		e := plain{in: into.Addr().Interface().(*eventRow).Raw}
		return event(&e, reflect.Value{}) && e.told && e.at == len(e.in)
	}
}

// fact checks a wireFact with its parts, whose type comes before them. Only those of views are known here: of others there
// are few.
func (p *plain) fact(into reflect.Value) bool {
	n, ok := p.many(majorMap, 5)
	if !ok || into.IsValid() {
		return false
	}
	var part shape
	last := uint64(0)
	for range n {
		major, key := p.head()
		if major != majorUint || key <= last {
			return false
		}
		last = key
		switch key {
		case 1:
			var kind []byte
			kind, ok = p.word()
			if l := lenses[EventType(kind)]; l != nil {
				part = l.read
			}
		case 2, 3:
			_, ok = p.word()
		case 4, 5:
			ok = part != nil && part(p, reflect.Value{})
		default:
			return false
		}
		if !ok {
			return false
		}
	}
	p.told = part != nil
	return p.told
}
