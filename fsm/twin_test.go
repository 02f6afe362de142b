package fsm_test

import (
	"bytes"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/musterhq/muster/fsm"
)

// TestTwins checks that two states in step hold the same bytes after every entry, report the same of it, and that neither
// keeps or changes what it was given.
func TestTwins(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		twin := fsm.NewState()
		tell(t, func(h *history, e *entry, _ *fsm.Reader, a *fsm.Applied) {
			raw := e.encode()
			kept := slices.Clone(raw)
			b, err := twin.Apply(e.index, raw)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(raw, kept) {
				t.Fatalf("entry %d was changed by applying it", e.index)
			}
			for i := range raw {
				raw[i] = 0xff
			}
			if !bytes.Equal(snapshot(t, h.state), snapshot(t, twin)) {
				t.Fatalf("after entry %d the twins differ", e.index)
			}
			if !bytes.Equal(fsm.EncodeResults(a.Results), fsm.EncodeResults(b.Results)) {
				t.Fatalf("entry %d: results %+v, of the twin %+v", e.index, a.Results, b.Results)
			}
			if !slices.Equal(a.Touched, b.Touched) || !slices.Equal(a.Events, b.Events) || a.Peers != b.Peers ||
				!slices.EqualFunc(a.Closed, b.Closed, sameTicket) || !slices.EqualFunc(a.Granted, b.Granted, sameTicket) {
				t.Fatalf("entry %d: did %+v, of the twin %+v", e.index, a, b)
			}
		})
	})
}

func sameTicket(a, b *fsm.Claim) bool { return a.Ticket() == b.Ticket() }

// TestSplits checks that a state restored from a snapshot at any point of a log is the one that wrote it (I17), and that
// going on from there gives the same bytes as the log did (I18): the next few entries, and from one split all.
func TestSplits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var snapshots [][]byte
		h := tell(t, func(h *history, _ *entry, _ *fsm.Reader, _ *fsm.Applied) {
			snapshots = append(snapshots, snapshot(t, h.state))
		})
		far := rapid.IntRange(0, len(snapshots)-1).Draw(t, "split to go on from to the end")
		for i, snap := range snapshots {
			s := restored(t, snap)
			if !bytes.Equal(snap, snapshot(t, s)) {
				t.Fatalf("restored after entry %d, the state writes another snapshot", i)
			}
			to := min(i+5, len(snapshots)-1)
			if i == far {
				to = len(snapshots) - 1
			}
			for _, e := range h.entries[i+1 : to+1] {
				e.apply(t, s)
			}
			if !bytes.Equal(snapshots[to], snapshot(t, s)) {
				t.Fatalf("going on from entry %d to %d leads elsewhere", i, to)
			}
		}
	})
}

// TestRestoreReplaces checks that nothing of what a state held before is left after a restore.
func TestRestoreReplaces(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		one, other := tell(t, nil), tell(t, nil)
		snap := snapshot(t, one.state)
		if err := other.state.Restore(bytes.NewReader(snap)); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(snap, snapshot(t, other.state)) {
			t.Fatal("the restored state holds something else than its snapshot")
		}
	})
}
