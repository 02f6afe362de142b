package document

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Limits on one file.
const (
	maxBytes = 4 << 20
	maxDepth = 32

	maxExponent = 1024 // of two, in a number: it is written out in full
)

// Place is where something is written.
type Place struct {
	File string
	Line int
}

func (p Place) String() string { return p.File + ":" + strconv.Itoa(p.Line) }

// FaultError is something wrong at a place.
type FaultError struct {
	Place
	Message string
	cause   error // where somebody else found it
}

func (f *FaultError) Unwrap() error { return f.cause }

func (f *FaultError) Error() string { return f.Place.String() + ": " + f.Message }

// Fault is something wrong here.
func (p Place) Fault(format string, args ...any) *FaultError {
	return &FaultError{Place: p, Message: fmt.Sprintf(format, args...)}
}

// Kind is what shape a value has.
type Kind int

// The kinds of values.
const (
	Leaf Kind = iota
	Object
	List
)

// Value is a value with its place. It is read-only.
type Value struct {
	At      Place
	Kind    Kind
	Leaf    json.RawMessage // a string, number, true, false or null
	Members []Member        // of an object, as they stand
	Items   []Value         // of a list
}

// Member is a key of an object, with its own place, and what it holds.
type Member struct {
	Key string
	At  Place
	Value
}

// Null tells whether the value is there only to say that it is not.
func (v *Value) Null() bool { return v.Kind == Leaf && string(v.Leaf) == "null" }

// member is the member of that key, or nil.
func (v *Value) member(key string) *Member {
	for i := range v.Members {
		if v.Members[i].Key == key {
			return &v.Members[i]
		}
	}
	return nil
}

// add takes a member, unless its key is there already.
func (v *Value) add(m Member) error {
	if first := v.member(m.Key); first != nil {
		return m.At.Fault("%s is given twice, first in line %d", m.Key, first.At.Line)
	}
	v.Members = append(v.Members, m)
	return nil
}

// find is the place of the field that a path like refresh.config.port or config.services.1 names, or of as much of it as is
// written. An item of a list may also be written services[1].
func (v *Value) find(path string) Place {
	at := v.At
	for step := range strings.SplitSeq(strings.ReplaceAll(strings.ReplaceAll(path, "[", "."), "]", ""), ".") {
		if m := v.member(step); m != nil {
			at, v = m.At, &m.Value
			continue
		}
		n, err := strconv.Atoi(step)
		if err != nil || n < 0 || n >= len(v.Items) {
			return at
		}
		v = &v.Items[n]
		at = v.At
	}
	return at
}

// text is the value as JSON.
func (v *Value) text() json.RawMessage {
	var b bytes.Buffer
	v.write(&b)
	return b.Bytes()
}

func (v *Value) write(b *bytes.Buffer) {
	switch v.Kind {
	case Object:
		b.WriteByte('{')
		for i := range v.Members {
			if i > 0 {
				b.WriteByte(',')
			}
			key, _ := json.Marshal(v.Members[i].Key) //nolint:errchkjson // a string always encodes
			b.Write(key)
			b.WriteByte(':')
			v.Members[i].write(b)
		}
		b.WriteByte('}')
	case List:
		b.WriteByte('[')
		for i := range v.Items {
			if i > 0 {
				b.WriteByte(',')
			}
			v.Items[i].write(b)
		}
		b.WriteByte(']')
	default:
		b.Write(v.Leaf)
	}
}

// faults collects what is wrong in a file.
type faults []error

func (f *faults) add(err error) {
	if err != nil {
		*f = append(*f, err)
	}
}

func (f faults) err() error { return errors.Join(f...) }
