package httpd

import (
	"encoding/json"
	"fmt"
	"iter"
	"sync/atomic"

	"github.com/musterhq/muster/fsm"
)

const (
	pressSlots = 4096
	pressLine  = 2 << 10 // bytes of the longest line that is kept, so that a press never holds more than 8 MiB of them
)

// press keeps the newest events as followers are told them, so that an event is decoded and encoded once on a peer and not
// once for each who follows. An event is known by its epoch and seq, and never changes. It may be used by any number of
// goroutines; two that look for one event at once may both make it.
type press struct {
	slots [pressSlots]atomic.Pointer[printed]
}

// heading is what filters look at in an event.
type heading struct {
	kind    fsm.EventType
	cluster string
	node    string
	time    fsm.Time
}

func headingOf(e *fsm.Event) heading { return heading{e.Type, e.Cluster, e.Node, e.Time} }

// printed is an event as followers are told it: a line of JSON with its cursor.
type printed struct {
	heading
	place fsm.Cursor
	line  string // empty of an event that is neither wanted nor kept
}

// events yields the kept events after a seq, or operators' ones; whoever asks leaves out what is not wanted. What it yields
// is good until the next.
func (p *press) events(r *fsm.Reader, q *eventQuery, after uint64) iter.Seq2[*printed, error] {
	w := printing{press: p, meta: r.Meta(), query: q}
	return func(yield func(*printed, error) bool) {
		if q.audit {
			for e := range r.Audit(after) {
				if !yield(w.print(e)) {
					return
				}
			}
			return
		}
		for after < w.meta.Seq {
			if kept := w.kept(after + 1); kept != nil {
				if after++; !yield(kept, nil) {
					return
				}
				continue
			}
			for e := range r.Events(after) {
				if after = e.Seq; !yield(w.print(e)) {
					return
				}
				if w.kept(after+1) != nil {
					break
				}
			}
		}
	}
}

// printing is one look at a press.
type printing struct {
	*press
	meta   *fsm.Meta
	query  *eventQuery
	passed printed // the last event that was neither wanted nor kept
}

// kept is the event of a seq if the press has it.
func (w *printing) kept(seq uint64) *printed {
	e := w.slots[seq%pressSlots].Load()
	if e == nil || e.place != placeOf(w.meta, seq) {
		return nil
	}
	return e
}

// print encodes an event that is wanted or new, and keeps it when it is new.
func (w *printing) print(e *fsm.Event) (*printed, error) {
	head, place, fresh := headingOf(e), placeOf(w.meta, e.Seq), e.Seq+pressSlots > w.meta.Seq
	if !fresh && !w.query.wants(head) {
		w.passed = printed{heading: head, place: place}
		return &w.passed, nil
	}
	told := tellingOf(w.meta, e)
	told.Cursor = place.String()
	raw, err := json.Marshal(told)
	if err != nil {
		return nil, fmt.Errorf("event %d: %w", e.Seq, err)
	}
	out := &printed{heading: head, place: place, line: string(raw)}
	if fresh && len(raw) <= pressLine {
		w.slots[e.Seq%pressSlots].Store(out)
	}
	return out, nil
}
