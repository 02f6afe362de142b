package fsm

import (
	"bytes"
	"cmp"
	"encoding"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/fxamacker/cbor/v2"
)

// A peer that starts reads hundreds of thousands of rows and events, all of which were written by this package, keys in order
// and nothing left over. plain reads just that, at a fifth of what decode takes to be ready for anything. It decides nothing:
// what is not written so, or is not as its type wants it, is left to decode, and what plain reads decode reads the same.
type plain struct {
	in   []byte // all of it
	at   int    // where the next item begins
	text string // in, once a text of it was wanted: the texts of a row share it
	told bool   // there was a fact
}

// shape reads the next item into a value; false when it leaves it to decode. The zero Value takes nothing: the item is only
// checked, which copies nothing.
type shape func(p *plain, into reflect.Value) bool

// plainly reads all of raw into what row points at; false when that is left to decode, into another row.
func plainly(raw []byte, read shape, row any) bool {
	p := plain{in: raw}
	return read(&p, reflect.ValueOf(row).Elem()) && p.at == len(raw)
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
	if p.text == "" {
		p.text = string(p.in)
	}
	return p.text[p.at-len(word) : p.at]
}

// field is a field of a struct: its key, and where it is.
type field struct {
	key  uint64
	path []int
	read shape
}

// shapeOf is how values of a type are read.
func shapeOf(t reflect.Type) shape {
	switch {
	case t == reflect.TypeFor[wireFact]():
		return (*plain).fact
	case t == reflect.TypeFor[eventRow]():
		return keptEvent(shapeOf(reflect.TypeFor[wireEventRow]()), shapeOf(reflect.TypeFor[wireEvent]()))
	case t == reflect.TypeFor[map[string]string]():
		return (*plain).words
	case reflect.PointerTo(t).Implements(reflect.TypeFor[cbor.Unmarshaler]()),
		reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.BinaryUnmarshaler]()):
		return never
	}
	switch t.Kind() {
	case reflect.String:
		return readText
	case reflect.Bool:
		return readBool
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return intShape(t.Bits())
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return uintShape(t.Bits())
	case reflect.Pointer:
		return pointerShape(t.Elem())
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return readBytes
		}
		return listShape(t)
	case reflect.Struct:
		return structShape(t)
	}
	return never
}

func never(*plain, reflect.Value) bool { return false }

func readText(p *plain, into reflect.Value) bool {
	word, ok := p.word()
	if ok && into.IsValid() {
		into.SetString(p.string(word))
	}
	return ok
}

func readBool(p *plain, into reflect.Value) bool {
	major, n := p.head()
	if major != majorSimple || n != simpleFalse && n != simpleTrue {
		return false
	}
	if into.IsValid() {
		into.SetBool(n == simpleTrue)
	}
	return true
}

func readBytes(p *plain, into reflect.Value) bool {
	chars, ok := p.chars(majorBytes)
	if ok && into.IsValid() {
		into.SetBytes(slices.Clone(chars))
	}
	return ok
}

func intShape(bits int) shape {
	return func(p *plain, into reflect.Value) bool {
		major, n := p.head()
		if major > majorMinus || n>>(bits-1) != 0 {
			return false
		}
		if into.IsValid() {
			into.SetInt(int64(n) ^ -int64(major)) //nolint:gosec // it is less than the largest
		}
		return true
	}
}

func uintShape(bits int) shape {
	return func(p *plain, into reflect.Value) bool {
		major, n := p.head()
		if major != majorUint || n>>(bits-1)>>1 != 0 {
			return false
		}
		if into.IsValid() {
			into.SetUint(n)
		}
		return true
	}
}

func pointerShape(t reflect.Type) shape {
	read := shapeOf(t)
	return func(p *plain, into reflect.Value) bool {
		if !into.IsValid() {
			return read(p, into)
		}
		into.Set(reflect.New(t))
		return read(p, into.Elem())
	}
}

func listShape(t reflect.Type) shape {
	read := shapeOf(t.Elem())
	return func(p *plain, into reflect.Value) bool {
		n, ok := p.many(majorList, maxList)
		if !ok || n == 0 {
			return false
		}
		if into.IsValid() {
			into.Set(reflect.MakeSlice(t, n, n))
		}
		for i := range n {
			var item reflect.Value
			if into.IsValid() {
				item = into.Index(i)
			}
			if !read(p, item) {
				return false
			}
		}
		return true
	}
}

// words reads a map of texts, of which shorter keys come first.
func (p *plain) words(into reflect.Value) bool {
	n, ok := p.many(majorMap, maxPairs)
	if !ok || n == 0 {
		return false
	}
	var out map[string]string
	if into.IsValid() {
		out = make(map[string]string, n)
		into.Set(reflect.ValueOf(out))
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

func structShape(t reflect.Type) shape {
	fields := fieldsOf(t, nil)
	slices.SortFunc(fields, func(a, b field) int { return cmp.Compare(a.key, b.key) })
	return func(p *plain, into reflect.Value) bool {
		n, ok := p.many(majorMap, len(fields))
		if !ok {
			return false
		}
		next := 0
		for range n {
			major, key := p.head()
			for next < len(fields) && fields[next].key < key {
				next++
			}
			if major != majorUint || next == len(fields) || fields[next].key != key {
				return false
			}
			f := &fields[next]
			next++
			at := into
			if into.IsValid() {
				for _, i := range f.path {
					at = at.Field(i)
				}
			}
			if !f.read(p, at) {
				return false
			}
		}
		return true
	}
}

// fieldsOf are the fields of a struct with a key, those of embedded structs among them.
func fieldsOf(t reflect.Type, path []int) (out []field) {
	for i := range t.NumField() {
		f := t.Field(i)
		at := append(slices.Clone(path), i)
		tag, tagged := f.Tag.Lookup("cbor")
		if f.Anonymous && !tagged && f.Type.Kind() == reflect.Struct {
			out = append(out, fieldsOf(f.Type, at)...)
			continue
		}
		number, _, _ := strings.Cut(tag, ",")
		if key, err := strconv.ParseUint(number, 10, 31); err == nil && strings.Contains(tag, ",keyasint") {
			out = append(out, field{key, at, shapeOf(f.Type)})
		}
	}
	return out
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
