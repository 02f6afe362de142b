package fsm_test

import (
	"bytes"
	"reflect"
	"slices"
	"testing"

	"github.com/fxamacker/cbor/v2"

	"github.com/musterhq/muster/fsm"
)

// rowsOf are the rows of a snapshot that has every field set and an event of most types.
func rowsOf(t testing.TB) []frame {
	t.Helper()
	all := framesOf(t, told(t).snapshot())
	return all[1 : len(all)-1]
}

// agrees fails when a row is read plainly that decode refuses or reads as another one; it says whether it was read so.
func agrees(t testing.TB, table byte, raw []byte) bool {
	t.Helper()
	got, ok := fsm.Plain(table, raw, false)
	passing, also := fsm.Plain(table, raw, true)
	if ok != also || ok && !reflect.DeepEqual(got, passing) {
		t.Fatalf("a row of table %d that passes is read as %+v, not %+v: %x", table, passing, got, raw)
	}
	if !ok {
		return false
	}
	want, err := fsm.Decoded(table, raw)
	if err != nil {
		t.Fatalf("a row of table %d is read, but decode says %v: %x", table, err, raw)
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("a row of table %d is read as %+v, not %+v: %x", table, got, want, raw)
	}
	return true
}

// TestPlainReadsWhatIsWritten checks that all rows are read plainly but the events that are not about views, of which there
// are few.
func TestPlainReadsWhatIsWritten(t *testing.T) {
	const events, audit = 11, 12
	seen := map[byte]int{}
	for _, f := range rowsOf(t) {
		if plain := agrees(t, f.number, f.body); plain {
			seen[f.number]++
		} else if f.number != events && f.number != audit {
			t.Errorf("a row of table %d is left to decode: %x", f.number, f.body)
		}
	}
	if seen[events] < 4 {
		t.Errorf("of the events %d are read plainly", seen[events])
	}
	for kind := range partOf {
		var f filler
		e := fsm.Event{Seq: 7, Fact: f.fact(kind)}
		if plain := agrees(t, events, eventFrame(t, e)); plain != slices.Contains(viewTypes, kind) {
			t.Errorf("that an event %s is read plainly is %t", kind, plain)
		}
	}
}

// eventFrame is an event as a row of a snapshot.
func eventFrame(t testing.TB, event any) []byte {
	t.Helper()
	mode, err := cbor.CoreDetEncOptions().EncMode()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := mode.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	row, err := mode.Marshal(map[int]any{1: 7, 2: 1, 3: raw})
	if err != nil {
		t.Fatal(err)
	}
	return row
}

// TestPlainDecidesNothing changes rows at every byte and checks that what is still read plainly decode reads the same.
func TestPlainDecidesNothing(t *testing.T) {
	for _, f := range rowsOf(t) {
		for i, b := range f.body {
			for _, to := range []byte{0, b - 1, b + 1, b ^ 0x20, b ^ 0x80, 0x60, 0xf6} {
				changed := slices.Clone(f.body)
				changed[i] = to
				agrees(t, f.number, changed)
			}
			agrees(t, f.number, slices.Delete(slices.Clone(f.body), i, i+1))
		}
	}
}

// TestPlainLeaves checks that rows that are not as this package writes them are left to decode.
func TestPlainLeaves(t *testing.T) {
	const meta, events = 1, 11
	fact := map[int]any{1: "node.unreachable", 4: map[int]any{}}
	earliest := append([]byte{0xa1, 4, 0x3b, 0x7f}, bytes.Repeat([]byte{0xff}, 7)...)
	twice := cbor.RawMessage("\xa3\x01\x70node.unreachable\x02\x61a\x02\x61a")
	with := func(fact any) []byte { return eventFrame(t, map[int]any{1: 7, 6: fact}) }
	for name, row := range map[string]frame{
		"nothing":                  {number: events},
		"something after the end":  {number: events, body: append(with(fact), 0)},
		"an event of nothing":      {number: events, body: []byte{0xa2, 1, 7, 2, 1}},
		"an event without a fact":  {number: events, body: eventFrame(t, map[int]any{1: 7})},
		"a fact without a type":    {number: events, body: with(map[int]any{4: map[int]any{}})},
		"a type that nobody knows": {number: events, body: with(map[int]any{1: "node.dreamt"})},
		"another key of an event":  {number: events, body: eventFrame(t, map[int]any{1: 7, 6: fact, 9: 1})},
		"another key of a fact":    {number: events, body: with(map[int]any{1: fact[1], 9: 1})},
		"another key of a part":    {number: events, body: with(map[int]any{1: fact[1], 4: map[int]any{9: 1}})},
		"a key of a fact twice":    {number: events, body: with(twice)},
		"keys out of order":        {number: events, body: eventFrame(t, cbor.RawMessage{0xa2, 6, 0xa1, 1, 0x61, 'x', 1, 7})},
		"text that is none":        {number: events, body: eventFrame(t, map[int]any{1: 7, 3: string([]byte{0xff}), 6: fact})},
		"a number too large":       {number: meta, body: []byte{0xa1, 5, 0x1b, 0, 0, 0, 1, 0, 0, 0, 0}},
		"a time too early":         {number: meta, body: []byte{0xa1, 4, 0x3b, 0x80, 0, 0, 0, 0, 0, 0, 0}},
		"a list of too much":       {number: meta, body: []byte{0xa1, 2, 0x9a, 0, 1, 0, 0}},
	} {
		if agrees(t, row.number, row.body) {
			t.Errorf("%s is read: %x", name, row.body)
		}
	}
	for name, row := range map[string]frame{
		"what the events above differ from": {number: events, body: with(fact)},
		"the largest number":                {number: meta, body: []byte{0xa1, 5, 0x1a, 0xff, 0xff, 0xff, 0xff}},
		"the earliest time":                 {number: meta, body: earliest},
		"no bytes":                          {number: 10, body: []byte{0xa1, 9, 0x40}},
	} {
		if !agrees(t, row.number, row.body) {
			t.Errorf("%s is not read: %x", name, row.body)
		}
	}
}

// FuzzPlain checks that what is read plainly decode reads the same.
func FuzzPlain(f *testing.F) {
	for _, row := range rowsOf(f) {
		f.Add(row.number, row.body)
	}
	f.Fuzz(func(t *testing.T, table byte, raw []byte) {
		before := bytes.Clone(raw)
		if agrees(t, table, raw); !bytes.Equal(before, raw) {
			t.Error("the bytes are no longer what they were")
		}
	})
}
