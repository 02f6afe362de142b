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

func (p Place) fault(format string, args ...any) *FaultError {
	return &FaultError{Place: p, Message: fmt.Sprintf(format, args...)}
}

type kind int

const (
	leaf kind = iota
	object
	list
)

// value is a value with its place.
type value struct {
	at      Place
	kind    kind
	leaf    json.RawMessage // a string, number, true, false or null
	members []member        // of an object, as they stand
	items   []value         // of a list
}

type member struct {
	key string
	at  Place
	value
}

func (v *value) null() bool { return v.kind == leaf && string(v.leaf) == "null" }

// member is the member of that key, or nil.
func (v *value) member(key string) *member {
	for i := range v.members {
		if v.members[i].key == key {
			return &v.members[i]
		}
	}
	return nil
}

// add takes a member, unless its key is there already.
func (v *value) add(m member) error {
	if first := v.member(m.key); first != nil {
		return m.at.fault("%s is given twice, first in line %d", m.key, first.at.Line)
	}
	v.members = append(v.members, m)
	return nil
}

// find is the place of the field that a path like refresh.config.port or config.services.1 names, or of as much of it as is
// written. An item of a list may also be written services[1].
func (v *value) find(path string) Place {
	at := v.at
	for step := range strings.SplitSeq(strings.ReplaceAll(strings.ReplaceAll(path, "[", "."), "]", ""), ".") {
		if m := v.member(step); m != nil {
			at, v = m.at, &m.value
			continue
		}
		n, err := strconv.Atoi(step)
		if err != nil || n < 0 || n >= len(v.items) {
			return at
		}
		v = &v.items[n]
		at = v.at
	}
	return at
}

// text is the value as JSON.
func (v *value) text() json.RawMessage {
	var b bytes.Buffer
	v.write(&b)
	return b.Bytes()
}

func (v *value) write(b *bytes.Buffer) {
	switch v.kind {
	case object:
		b.WriteByte('{')
		for i := range v.members {
			if i > 0 {
				b.WriteByte(',')
			}
			key, _ := json.Marshal(v.members[i].key) //nolint:errchkjson // a string always encodes
			b.Write(key)
			b.WriteByte(':')
			v.members[i].write(b)
		}
		b.WriteByte('}')
	case list:
		b.WriteByte('[')
		for i := range v.items {
			if i > 0 {
				b.WriteByte(',')
			}
			v.items[i].write(b)
		}
		b.WriteByte(']')
	default:
		b.Write(v.leaf)
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
