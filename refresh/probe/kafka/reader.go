package kafka

import (
	"github.com/twmb/franz-go/pkg/kbin"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

// reader reads an answer piece by piece. Answers that can be long are not decoded into kmsg's types: those make room for
// whatever count an answer announces, and follow an announced number of tags to its end, there or not.
type reader struct {
	kbin.Reader
	flexible bool // the answer has compact lengths, and tags
}

// each calls f once for each entry of an array, as long as there is something to read.
func (r *reader) each(f func()) {
	n := r.ArrayLen
	if r.flexible {
		n = r.CompactArrayLen
	}
	for range n() {
		if !r.Ok() {
			return
		}
		f()
	}
}

// text is a text that may be null, which is empty here.
func (r *reader) text() string {
	var s *string
	if r.flexible {
		s = r.CompactNullableString()
	} else {
		s = r.NullableString()
	}
	if s == nil {
		return ""
	}
	return *s
}

// tags passes over the fields that later versions added.
func (r *reader) tags() {
	if !r.flexible {
		return
	}
	for n := r.Uvarint(); n > 0 && r.Ok(); n-- {
		r.Uvarint()
		r.Span(int(r.Uvarint()))
	}
}

// done says whether all was there.
func (r *reader) done(what string) error {
	if r.Ok() {
		return nil
	}
	return refresh.NewFault(fsm.ReasonProtocol, "the answer to %s ends too early or is none", what)
}
