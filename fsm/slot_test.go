package fsm_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/musterhq/muster/fsm"
)

// TestSlots checks that slots come strictly after, one interval apart, with a phase that is the subject's own and stays, and
// that whatever was missed in between is one slot.
func TestSlots(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := fsm.Subject{
			Kind: rapid.SampledFrom([]fsm.Kind{fsm.KindRun, fsm.KindRefresh}).Draw(t, "kind"),
			ID:   rapid.Uint64Range(1, 1<<40).Draw(t, "id"),
		}
		interval := fsm.Duration(rapid.Int64Range(1, int64(40*fsm.Day)).Draw(t, "interval"))
		after := fsm.Time(rapid.Int64Range(0, 1<<45).Draw(t, "after"))
		next := fsm.NextSlot(s, interval, after)
		if next <= after || next.Sub(after) > interval {
			t.Fatalf("the slot after %d is %d, %d later", after, next, next-after)
		}
		if again := fsm.NextSlot(s, interval, next); again.Sub(next) != interval {
			t.Fatalf("the slot after %d is %d, %d later", next, again, again-next)
		}
		within := fsm.Time(rapid.Int64Range(int64(next.Add(-interval)), int64(next)-1).Draw(t, "within"))
		if within >= 0 && fsm.NextSlot(s, interval, within) != next {
			t.Fatalf("between %d and %d lies another slot", within, next)
		}
		first := fsm.NextSlot(s, interval, 0)
		if (next-first)%fsm.Time(interval) != 0 {
			t.Fatalf("the phase moved between %d and %d", first, next)
		}
	})
}

// TestSlotsSpread checks that the slots of many subjects are spread evenly over the interval, and that those of clusters do
// not fall on those of discoveries.
func TestSlotsSpread(t *testing.T) {
	interval := 30 * fsm.Second
	for _, test := range []struct {
		kind             fsm.Kind
		subjects, pieces int
	}{{fsm.KindRun, 1000, 10}, {fsm.KindRefresh, 1000, 10}, {fsm.KindRefresh, 20_000, 100}} {
		kind, subjects, pieces := test.kind, test.subjects, test.pieces
		piece, together := make([]int, pieces), 0
		for id := uint64(1); id <= uint64(subjects); id++ {
			at := fsm.NextSlot(fsm.Subject{Kind: kind, ID: id}, interval, 1_700_000_000_000)
			piece[int(int64(at)%int64(interval))*pieces/int(interval)]++
			if at == fsm.NextSlot(fsm.Subject{Kind: kind ^ 3, ID: id}, interval, 1_700_000_000_000) {
				together++
			}
		}
		for i, n := range piece {
			if n < subjects/pieces*7/10 || n > subjects/pieces*13/10 {
				t.Errorf("%s: %d of %d slots lie in piece %d of %d", kind, n, subjects, i, pieces)
			}
		}
		if together > 20 {
			t.Errorf("%d of %d slots of the two kinds fall together", together, subjects)
		}
	}
}

// TestSlotWithoutInterval checks that an interval of nothing is no division by it.
func TestSlotWithoutInterval(t *testing.T) {
	s := fsm.Subject{Kind: fsm.KindRefresh, ID: 1}
	for _, interval := range []fsm.Duration{0, -5} {
		if at := fsm.NextSlot(s, interval, 5000); at <= 5000 || at > 6000 {
			t.Errorf("with interval %d the slot after 5000 is %d", interval, at)
		}
	}
}

// TestDue checks which of the reasons to look again comes first.
func TestDue(t *testing.T) {
	subject := fsm.Subject{Kind: fsm.KindRefresh, ID: 7}
	done := fsm.Time(1_700_000_000_000)
	slot := fsm.NextSlot(subject, fsm.Minute, done)
	for name, test := range map[string]struct {
		s   fsm.Schedule
		at  fsm.Time
		why string
	}{
		"its slot":                         {fsm.Schedule{Done: done}, slot, fsm.WhyDue},
		"at once":                          {fsm.Schedule{Done: done, AtOnce: true, Odd: 5, Confirm: 5}, 0, fsm.WhyDue},
		"an odd round":                     {fsm.Schedule{Done: done, Odd: slot - 1}, slot - 1, fsm.WhyOdd},
		"an odd round after the slot":      {fsm.Schedule{Done: done, Odd: slot}, slot, fsm.WhyDue},
		"failed nodes":                     {fsm.Schedule{Done: done, Confirm: slot - 1}, slot - 1, fsm.WhyConfirm},
		"failed nodes after the slot":      {fsm.Schedule{Done: done, Confirm: slot + 1}, slot, fsm.WhyDue},
		"failed nodes before an odd round": {fsm.Schedule{Done: done, Odd: slot - 1, Confirm: slot - 2}, slot - 2, fsm.WhyConfirm},
		"both at one time":                 {fsm.Schedule{Done: done, Odd: slot - 2, Confirm: slot - 2}, slot - 2, fsm.WhyOdd},
	} {
		test.s.Subject = subject
		if at, why := test.s.Due(fsm.Minute); at != test.at || why != test.why {
			t.Errorf("%s: due at %d, %s; want %d, %s", name, at, why, test.at, test.why)
		}
	}
}

// TestMissedSlotsAreOne checks that after an outage a schedule is due once, and then at the next slot (I27).
func TestMissedSlotsAreOne(t *testing.T) {
	s := fsm.Schedule{Subject: fsm.Subject{Kind: fsm.KindRun, ID: 3}, Done: 1_700_000_000_000}
	now := s.Done.Add(10 * fsm.Day)
	if at, _ := s.Due(fsm.Minute); at > now {
		t.Fatalf("due at %d, after %d", at, now)
	}
	s.Done = now
	if at, _ := s.Due(fsm.Minute); at <= now || at.Sub(now) > fsm.Minute {
		t.Fatalf("after one run at %d it is due at %d", now, at)
	}
}
