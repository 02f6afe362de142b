package fsm_test

import (
	"testing"

	"github.com/musterhq/muster/fsm"
)

// TestTrimmedPagesGo trims to every place within and between pages, and looks at what stays, also of a restored twin.
func TestTrimmedPagesGo(t *testing.T) {
	for _, first := range []uint64{60, 63, 64, 65, 100, 127, 128, 129, 191, 192, 200, 201} {
		l := newLog(t)
		for l.state.Read().Meta().Seq < 200 {
			l.ok(&fsm.OperatorAct{Action: "test", Subject: "it", Cause: fsm.Cause{Kind: fsm.CauseOperator}})
		}
		l.ok(&fsm.EventsTrim{First: first, Audit: 1})
		twin := &log{t: t, state: restored(t, l.snapshot()), index: l.index, now: l.now}
		for _, each := range []*log{l, twin} {
			each.ok(&fsm.OperatorAct{Action: "test", Subject: "after", Cause: fsm.Cause{Kind: fsm.CauseOperator}})
			r := each.state.Read()
			next := first
			for e := range r.Events(0) {
				if e.Seq != next {
					t.Fatalf("trimmed to %d: event %d comes where %d is next", first, e.Seq, next)
				}
				next++
			}
			if next != 202 {
				t.Fatalf("trimmed to %d: the events end before %d", first, next)
			}
			for _, upTo := range []uint64{127, 128, 200, 201, 1 << 63} {
				next := min(upTo, 201)
				for e := range r.EventsBack(upTo) {
					if e.Seq != next {
						t.Fatalf("trimmed to %d: back from %d event %d comes where %d is next", first, upTo, e.Seq, next)
					}
					next--
				}
				if want := min(first-1, upTo, 201); next != want {
					t.Fatalf("trimmed to %d: back from %d the events end after %d, not %d", first, upTo, next, want)
				}
			}
			if got, most := fsm.EventPages(r), int((201-first)/64)+2; got > most {
				t.Errorf("trimmed to %d: %d pages are left", first, got)
			}
		}
		if a, b := l.snapshot(), twin.snapshot(); string(a) != string(b) {
			t.Fatalf("trimmed to %d: the twins differ", first)
		}
	}
}

// TestEventsBesideApply reads events while more are appended to the page they are in.
func TestEventsBesideApply(t *testing.T) {
	l := newLog(t)
	act := &fsm.OperatorAct{Action: "test", Subject: "it", Cause: fsm.Cause{Kind: fsm.CauseOperator}}
	l.ok(act)
	r := l.state.Read()
	last, done := r.Meta().Seq, make(chan uint64)
	go func() {
		n := uint64(0)
		for range 200 {
			for e := range r.Events(0) {
				n = e.Seq
			}
		}
		done <- n
	}()
	for range 200 {
		l.ok(act)
	}
	if n := <-done; n != last {
		t.Errorf("a reader of %d events saw %d", last, n)
	}
}
