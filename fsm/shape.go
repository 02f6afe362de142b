package fsm

import (
	"cmp"
	"encoding"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/fxamacker/cbor/v2"
)

// shape reads the next item into a value; false when it leaves it to decode. The zero Value takes nothing: the item is only
// checked, which copies nothing.
type shape func(p *plain, into reflect.Value) bool

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
