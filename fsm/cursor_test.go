package fsm_test

import (
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/musterhq/muster/fsm"
)

// epochs is a state of three epochs: events 1 to 50 are of the first, to 70 of the second, to 90 of the third.
func epochs(first uint64) *fsm.Meta {
	return &fsm.Meta{Epochs: []fsm.EpochMark{{Epoch: "one", First: 1}, {Epoch: "two", First: 51}, {Epoch: "three", First: 71}}, First: first, Seq: 90}
}

// TestResume checks where a reader goes on, and where it is told to.
func TestResume(t *testing.T) {
	for name, test := range map[string]struct {
		first  uint64 // kept
		cursor string
		after  uint64
		oldest string // when it is refused
	}{
		"the beginning":                       {1, "one:0", 0, ""},
		"within the current epoch":            {1, "three:80", 80, ""},
		"at the end":                          {1, "three:90", 90, ""},
		"ahead in the current epoch":          {1, "three:95", 95, ""},
		"within an earlier epoch":             {1, "one:30", 30, ""},
		"where an earlier epoch was cut":      {1, "one:50", 50, ""},
		"beyond where it was cut":             {1, "one:51", 0, "two:50"},
		"far beyond where it was cut":         {1, "one:80", 0, "two:50"},
		"beyond where the second was cut":     {1, "two:71", 0, "three:70"},
		"where the second was cut":            {1, "two:70", 70, ""},
		"the last not kept":                   {40, "one:39", 39, ""},
		"too old":                             {40, "one:38", 0, "three:39"},
		"too old in the current epoch":        {80, "three:78", 0, "three:79"},
		"the oldest that is offered":          {40, "three:39", 39, ""},
		"beyond the cut, which is not kept":   {60, "one:51", 0, "three:59"},
		"beyond the cut, which is first kept": {51, "one:51", 0, "two:50"},
		"of an epoch nobody knows":            {1, "other:10", 0, "three:0"},
		"nothing is kept":                     {91, "three:90", 90, ""},
		"nothing is kept, and too old":        {91, "three:89", 0, "three:90"},
	} {
		t.Run(name, func(t *testing.T) {
			m := epochs(test.first)
			c, err := fsm.ParseCursor(test.cursor)
			if err != nil {
				t.Fatal(err)
			}
			after, err := m.Resume(c)
			if test.oldest == "" {
				if err != nil || after != test.after {
					t.Fatalf("goes on after %d, %v; want %d", after, err, test.after)
				}
				return
			}
			var gone *fsm.Error
			if !errors.As(err, &gone) || gone.Code != fsm.CodeGone || gone.Fields["oldest"] != test.oldest {
				t.Fatalf("goes on after %d, %+v; want to be told %s", after, err, test.oldest)
			}
		})
	}
}

// TestResumeTellsWhereToGoOn checks that the cursor a refusal names is always good, and that a cursor that is good never
// jumps (I10).
func TestResumeTellsWhereToGoOn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := epochs(rapid.Uint64Range(1, 91).Draw(t, "first kept"))
		c := fsm.Cursor{
			Epoch: rapid.SampledFrom([]string{"one", "two", "three", "other"}).Draw(t, "epoch"),
			Seq:   rapid.Uint64Range(0, 100).Draw(t, "seq"),
		}
		after, err := m.Resume(c)
		var gone *fsm.Error
		if !errors.As(err, &gone) {
			if err != nil || after != c.Seq || after+1 < m.First {
				t.Fatalf("%s goes on after %d, %v", c, after, err)
			}
			return
		}
		oldest, err := fsm.ParseCursor(gone.Fields["oldest"])
		if err != nil {
			t.Fatal(err)
		}
		if after, err := m.Resume(oldest); err != nil || after != oldest.Seq {
			t.Fatalf("%s is told to go on from %s, and then %v", c, oldest, err)
		}
	})
}

// TestCursorText checks the written form of cursors.
func TestCursorText(t *testing.T) {
	m := epochs(1)
	if got := m.Cursor(81).String(); got != "three:81" {
		t.Errorf("a cursor reads %s", got)
	}
	for _, bad := range []string{"", ":", "e", "e:", ":4", "e:-1", "e:x", "e:99999999999999999999", "e:1:2"} {
		if c, err := fsm.ParseCursor(bad); !errors.Is(err, fsm.ErrInvalid) {
			t.Errorf("%q is the cursor %+v, %v", bad, c, err)
		}
	}
	if new(fsm.Meta).Epoch() != "" {
		t.Error("a group not yet born has an epoch")
	}
}

// TestEventsFromAnywhere reads the kept events from places before, in and after them.
func TestEventsFromAnywhere(t *testing.T) {
	l := newLog(t)
	for range 6 {
		l.ok(&fsm.OperatorAct{Action: "look", Cause: operator})
	}
	l.ok(&fsm.EventsTrim{First: 3})
	seqs := func(after uint64) (out []uint64) {
		for e := range l.state.Read().Events(after) {
			out = append(out, e.Seq)
		}
		return out
	}
	for after, want := range map[uint64][]uint64{0: {3, 4, 5, 6}, 2: {3, 4, 5, 6}, 4: {5, 6}, 6: nil, 9: nil, 1<<64 - 1: nil} {
		if got := seqs(after); !slices.Equal(got, want) {
			t.Errorf("after %d come %d, want %d", after, got, want)
		}
	}
}

// TestOperatorsEventsBack reads what operators did from the last one on, beyond the first kept event.
func TestOperatorsEventsBack(t *testing.T) {
	l := newLog(t)
	for range 4 {
		l.ok(&fsm.OperatorAct{Action: "look", Cause: operator})
	}
	l.ok(&fsm.EventsTrim{First: 4})
	for upTo, want := range map[uint64][]uint64{0: nil, 3: {3, 2, 1}, 4: {4, 3, 2, 1}, 1<<64 - 1: {4, 3, 2, 1}} {
		var got []uint64
		for e := range l.state.Read().AuditBack(upTo) {
			got = append(got, e.Seq)
		}
		if !slices.Equal(got, want) {
			t.Errorf("back from %d come %d, want %d", upTo, got, want)
		}
	}
}

// TestTrim checks that trimming makes no event, never goes beyond the last, and counts what it leaves; the audit table goes
// by its own count, oldest first.
func TestTrim(t *testing.T) {
	l := newLog(t)
	l.discovery("d")
	for range 5 {
		l.ok(&fsm.OperatorAct{Action: "look", Cause: operator})
	}
	read := func() (*fsm.Meta, []uint64) {
		var audit []uint64
		for e := range l.state.Read().Audit(0) {
			audit = append(audit, e.Seq)
		}
		return l.state.Read().Meta(), audit
	}
	for _, step := range []struct {
		trim  fsm.EventsTrim
		first uint64
		audit []uint64
	}{
		{fsm.EventsTrim{First: 3}, 3, []uint64{1, 2, 3, 4, 5, 6}},
		{fsm.EventsTrim{First: 2}, 3, []uint64{1, 2, 3, 4, 5, 6}},
		{fsm.EventsTrim{Audit: 9}, 3, []uint64{1, 2, 3, 4, 5, 6}},
		{fsm.EventsTrim{First: 4, Audit: 2}, 4, []uint64{5, 6}},
		{fsm.EventsTrim{Audit: -1}, 4, []uint64{5, 6}},
		{fsm.EventsTrim{First: 1 << 60}, 7, []uint64{5, 6}},
	} {
		woken := l.state.Read().Wait(fsm.SetEvents)
		l.ok(&step.trim)
		m, audit := read()
		if m.First != step.first || m.Seq != 6 || m.Trimmed != l.now || !slices.Equal(audit, step.audit) || m.Audits != len(audit) {
			t.Fatalf("%+v left events from %d to %d, audit %d of %d", step.trim, m.First, m.Seq, audit, m.Audits)
		}
		if closed(woken.Changed) {
			t.Errorf("%+v woke who follows the events", step.trim)
		}
	}
	if m, _ := read(); m.Bytes != 0 {
		t.Errorf("%d bytes are kept of no event", m.Bytes)
	}
	l.ok(&fsm.OperatorAct{Action: "look", Cause: operator})
	if m, audit := read(); m.First != 7 || m.Seq != 7 || !slices.Equal(audit, []uint64{5, 6, 7}) {
		t.Errorf("the next event is kept from %d to %d, audit %d", m.First, m.Seq, audit)
	}
}

// TestWhatToTrim checks how the first event to stay is found by age and by bytes.
func TestWhatToTrim(t *testing.T) {
	l := newLog(t)
	var at []fsm.Time
	for range 6 {
		l.ok(&fsm.OperatorAct{Action: "look", Cause: operator})
		at = append(at, l.now)
	}
	l.ok(&fsm.EventsTrim{First: 2})
	r := l.state.Read()
	for when, want := range map[fsm.Time]uint64{0: 1, at[1]: 1, at[1] + 1: 2, at[5]: 5, at[5] + 1: 6} {
		if got := r.EventsSince(when); got != want {
			t.Errorf("since %d, events come after %d, want %d", when, got, want)
		}
	}
	one := r.Meta().Bytes / 5
	for bytes, want := range map[int64]uint64{5 * one: 2, 5*one - 1: 3, 2 * one: 5, 1: 7, 0: 7} {
		if got := r.EventsBeyond(bytes); got != want {
			t.Errorf("of %d bytes the first to stay is %d, want %d", bytes, got, want)
		}
	}
}
