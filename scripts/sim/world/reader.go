package world

import (
	"bytes"
	"errors"
	"time"

	"github.com/musterhq/muster/fsm"
)

// reader follows the events by its cursor, from whichever peer it reaches. It asks none that is behind what it has seen.
type reader struct {
	w      *World
	cursor fsm.Cursor
	index  uint64 // the furthest that it has seen a state at
	last   []byte // the event at its cursor, encoded; nil where it has read none
}

// followers is how many follow the events of a world.
const followers = 2

func (w *World) follow() {
	for range followers {
		r := &reader{w: w}
		w.after(w.between(time.Second, 5*time.Second), r.read)
	}
}

// read reads some events, and checks that they go on where the last ones ended (I10): nothing is left out or comes in between,
// and where the history that was read is not the group's any more, or no longer kept, that is said.
func (x *reader) read() {
	w := x.w
	w.after(w.between(200*time.Millisecond, 4*time.Second), x.read)
	p := w.foe.some(1)
	if p == nil || p.Read().Meta().Group == "" || p.Read().Meta().Index < x.index {
		return
	}
	r := p.Read()
	m := r.Meta()
	x.index = m.Index
	if x.cursor.Epoch == "" {
		x.cursor = m.Cursor(m.First - 1)
	}
	seq, err := m.Resume(x.cursor)
	if err != nil {
		x.gone(m, err)
		return
	}
	x.same(r, seq)
	left := 1 + w.rng.IntN(40)
	for e := range r.Events(seq) {
		if seq++; e.Seq != seq {
			w.fail("I10", "after %s a reader is told event %d, not %d", x.cursor, e.Seq, seq)
		}
		raw, err := e.MarshalCBOR()
		if err != nil {
			w.fail("I10", "event %d does not encode: %v", e.Seq, err)
		}
		x.cursor, x.last = m.Cursor(e.Seq), raw
		w.count.add("event read")
		if left--; left == 0 {
			return
		}
	}
	if seq < m.Seq {
		w.fail("I10", "events end at %d of %d", seq, m.Seq)
	}
}

// same checks that the event at the cursor is still the one that was read there, as far as it is kept.
func (x *reader) same(r *fsm.Reader, seq uint64) {
	if x.last == nil || seq == 0 || seq < r.Meta().First {
		return
	}
	for e := range r.Events(seq - 1) {
		if raw, err := e.MarshalCBOR(); err != nil || !bytes.Equal(raw, x.last) {
			x.w.fail("I10", "a reader goes on after %s, where event %d is not the one that it read: %v", x.cursor, seq, err)
		}
		return
	}
	x.w.fail("I10", "a reader goes on after %s, which is not there", x.cursor)
}

// gone checks that a cursor which leads nowhere is told with one that does.
func (x *reader) gone(m *fsm.Meta, err error) {
	var why *fsm.Error
	if !errors.As(err, &why) || why.Code != fsm.CodeGone {
		x.w.fail("I10", "a reader at %s is told %v", x.cursor, err)
	}
	on, err := fsm.ParseCursor(why.Fields["oldest"])
	if err == nil {
		_, err = m.Resume(on)
	}
	if err != nil || on == x.cursor {
		x.w.fail("I10", "a reader at %s is sent to %q, where it cannot go on: %v", x.cursor, why.Fields["oldest"], err)
	}
	kept := x.cursor.Epoch == m.Epoch() && x.cursor.Seq+1 >= m.First
	if kept || x.cursor.Epoch == m.Epoch() && on.Seq < x.cursor.Seq {
		x.w.fail("I10", "a reader at %s is sent to %s; kept are events %d to %d", x.cursor, on, m.First, m.Seq)
	}
	if x.cursor.Epoch != m.Epoch() {
		x.w.count.add("cursor of a history that was cut")
	} else {
		x.w.count.add("cursor before the first event")
	}
	x.cursor, x.last = on, nil
}
