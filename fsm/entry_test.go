package fsm_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/fsm"
)

// framed is a frame with any head.
func framed(kind, version, size uint64, body ...byte) []byte {
	f := binary.AppendUvarint(binary.AppendUvarint(binary.AppendUvarint(nil, kind), version), size)
	return append(f, body...)
}

// newerFact is a refresh.complete whose only fact is of a type this release does not know, with an after or without.
func newerFact(body bool) []byte {
	f := fsm.Frame(&fsm.RefreshComplete{Cluster: 1, Token: 2, Last: true, Facts: []fsm.Fact{
		{Type: fsm.NodeReachable, Node: "a", Before: &fsm.ReachPart{}, After: &fsm.ReachPart{Reach: fsm.Reachable}},
	}})
	if !body {
		f = fsm.Frame(&fsm.RefreshComplete{Cluster: 1, Token: 2, Last: true, Facts: []fsm.Fact{{Type: fsm.NodeReachable, Node: "a"}}})
	}
	return bytes.Replace(f, []byte("node.reachable"), []byte("node.teleported")[:14], 1)
}

// TestEntryNotKnown checks that an entry this release does not know, or that does not decode, is an error that leaves the
// state as it was, good commands beside it included, and that it says when a newer release wrote it (I19).
func TestEntryNotKnown(t *testing.T) {
	good := fsm.Frame(&fsm.OperatorAct{Action: "look"})
	act := fsm.Frame(&fsm.FeatureRaise{Level: 1})
	for name, test := range map[string]struct {
		frame []byte
		newer bool
	}{
		"unknown kind":                    {framed(99, 1, 1, 0xa0), true},
		"kind 0":                          {framed(0, 1, 1, 0xa0), true},
		"higher version":                  {framed(8, 2, 3, 0xa1, 0x01, 0x01), true},
		"version 0":                       {framed(8, 0, 3, 0xa1, 0x01, 0x01), true},
		"unknown type of fact":            {newerFact(true), true},
		"unknown type of fact, no parts":  {newerFact(false), true},
		"unknown key":                     {framed(8, 1, 3, 0xa1, 0x02, 0x01), false},
		"trailing bytes in the frame":     {framed(8, 1, 4, 0xa1, 0x01, 0x01, 0x00), false},
		"a frame cut short":               {act[:len(act)-1], false},
		"a frame without a body":          {framed(8, 1, 0), false},
		"a head cut short":                {act[:2], false},
		"a length beyond all":             {framed(8, 1, 1<<63, 0xa0), false},
		"a head that never ends":          {bytes.Repeat([]byte{0xff}, 20), false},
		"not CBOR":                        {framed(8, 1, 2, 0xff, 0xff), false},
		"another shape":                   {framed(8, 1, 1, 0x80), false},
		"a list of unknown length":        {framed(20, 1, 4, 0xa1, 0x05, 0x9f, 0xff), false},
		"a key twice":                     {framed(8, 1, 5, 0xa2, 0x01, 0x01, 0x01, 0x02), false},
		"trailing zero after the command": {[]byte{0}, false},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLog(t)
			before := l.snapshot()
			for _, batch := range [][][]byte{{test.frame}, {good, test.frame}} {
				a, err := l.state.Apply(l.index+1, fsm.Entry(l.now, batch...))
				if a != nil || err == nil || errors.Is(err, fsm.ErrNewer) != test.newer {
					t.Fatalf("did %+v, error %v", a, err)
				}
				if !bytes.Equal(before, l.snapshot()) {
					t.Fatal("the state changed")
				}
			}
		})
	}
}

// TestEntryHead checks the entry's own first bytes.
func TestEntryHead(t *testing.T) {
	l := newLog(t)
	before := l.snapshot()
	for name, test := range map[string]struct {
		entry []byte
		newer bool
	}{
		"empty":             {nil, true},
		"another format":    {[]byte{2, 0}, true},
		"without a time":    {[]byte{1}, false},
		"time never ending": {append([]byte{1}, bytes.Repeat([]byte{0xff}, 11)...), false},
	} {
		if a, err := l.state.Apply(99, test.entry); a != nil || err == nil || errors.Is(err, fsm.ErrNewer) != test.newer {
			t.Errorf("%s: did %+v, error %v", name, a, err)
		}
	}
	if !bytes.Equal(before, l.snapshot()) {
		t.Error("the state changed")
	}
	if a := l.entry(); len(a.Results) != 0 || l.state.Read().Meta().Index != l.index {
		t.Errorf("an entry without commands did %+v", a)
	}
}

// TestEntryTime checks that logical time goes with the largest time brought, and never back.
func TestEntryTime(t *testing.T) {
	l := newLog(t)
	at := l.now
	for _, step := range []struct{ now, want fsm.Time }{{at + 5, at + 5}, {at - 1000, at + 5}, {0, at + 5}, {at + 6, at + 6}} {
		l.now = step.now - 1000
		if a := l.entry(&fsm.OperatorAct{Action: "look"}); a.Time != step.want {
			t.Errorf("at %d the entry is of %d, want %d", step.now, a.Time, step.want)
		}
	}
	var last fsm.Time
	for e := range l.state.Read().Events(0) {
		if e.Time < last {
			t.Errorf("event %d is told at %d after %d", e.Seq, e.Time, last)
		}
		last = e.Time
	}
}

// TestListsOfNothing checks that an entry whose lists claim more than it can hold makes no room for it.
func TestListsOfNothing(t *testing.T) {
	const n = 1<<20 - 100
	for name, test := range map[string]struct {
		kind uint64
		head []byte
		fill byte
	}{
		"facts":      {31, []byte{0xa1, 0x06}, 0xa0},
		"no facts":   {31, []byte{0xa1, 0x06}, 0xf6},
		"enrolments": {30, []byte{0xa1, 0x05}, 0xa0},
		"changes":    {40, []byte{0xa1, 0x01}, 0xa0},
		"ids":        {20, []byte{0xa1, 0x05}, 0x01},
		"notes":      {31, []byte{0xa1, 0x07, 0xa1, 0x01}, 0xa0},
	} {
		for _, claims := range []uint32{n, 1<<17 - 1} {
			body := binary.BigEndian.AppendUint32(append(test.head, 0x9a), claims)
			body = append(body, bytes.Repeat([]byte{test.fill}, int(claims))...)
			entry := append([]byte{1, 1}, framed(test.kind, 1, uint64(len(body)), body...)...)
			var err error
			if took := allocated(func() { _, _, err = fsm.DecodeEntry(entry) }); took > 64<<20 {
				t.Errorf("%d %s take %d MiB, error %v", claims, name, took>>20, err)
			}
			if claims == n && err == nil {
				t.Errorf("%d %s are taken", claims, name)
			}
		}
	}
}

// allocated is how many bytes f allocates, freed or not.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestResultsTravel checks that results come out of the wire as they went in.
func TestResultsTravel(t *testing.T) {
	want := []fsm.Result{
		{Index: 7},
		{Index: 7, Error: fsm.Errorf(fsm.CodeStale, "moved").With("index", "9")},
		{Index: 7, Claim: &fsm.Claim{Subject: fsm.Subject{Kind: fsm.KindRun, ID: 3}, Token: 7, Peer: "p", Names: []string{"c"}}, Already: true},
		{Index: 7, Moved: []fsm.Moved{{Cluster: "c", Index: 5}}, Closed: true},
	}
	got, err := fsm.DecodeResults(fsm.EncodeResults(want))
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("error %v, results (-want +got):\n%s", err, diff)
	}
	if _, err := fsm.DecodeResults([]byte{0xff}); err == nil {
		t.Error("what is no result decodes")
	}
}

// FuzzDecodeEntry checks that no entry makes decoding or applying panic or take much room, that what decodes is decoded the
// same again from its own encoding, and that what does not leaves the state alone.
func FuzzDecodeEntry(f *testing.F) {
	for _, c := range examples() {
		f.Add(fsm.Entry(1_700_000_000_000, fsm.Frame(c)))
	}
	f.Add(fsm.Entry(1, newerFact(true), newerFact(false)))
	l := newLog(f)
	c := l.cluster(l.discovery("d"), "c", "a", "b")
	claim := l.claim(fsm.KindRefresh, c.ID, fsm.WhyDue)
	f.Add(fsm.Entry(l.now, fsm.Frame(l.round(claim, up("a", "0:primary"), refused("b")))))
	change := l.forget("c", "a")
	f.Add(fsm.Entry(l.now, fsm.Frame(&fsm.ClusterChange{Changes: []fsm.Change{change}})))
	base := l.snapshot()
	f.Fuzz(func(t *testing.T, entry []byte) {
		if len(entry) > fsm.MaxEntry {
			return
		}
		state := restored(t, base)
		var a *fsm.Applied
		var err error
		if took := allocated(func() { a, err = state.Apply(l.index+1, entry) }); took > 64<<20 {
			t.Fatalf("%d bytes take %d MiB", len(entry), took>>20)
		}
		if err != nil {
			if !bytes.Equal(base, snapshot(t, state)) {
				t.Fatal("an entry that does not decode changed the state")
			}
			return
		}
		now, commands, err := fsm.DecodeEntry(entry)
		if err != nil || len(commands) != len(a.Results) {
			t.Fatalf("%d commands, %d results, %v", len(commands), len(a.Results), err)
		}
		twin := restored(t, base)
		if _, err := twin.Apply(l.index+1, fsm.Entry(now, frames(commands)...)); err != nil {
			t.Fatal(err)
		}
		if after := snapshot(t, state); !bytes.Equal(after, snapshot(t, twin)) || !bytes.Equal(after, snapshot(t, restored(t, after))) {
			t.Fatal("the entry encoded again, or the snapshot, leads to another state")
		}
	})
}
