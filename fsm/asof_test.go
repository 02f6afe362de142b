package fsm_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/fxamacker/cbor/v2"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/musterhq/muster/fsm"
)

// everyName is the clusters of a history, and one that is in none.
var everyName = append(slices.Clone(clusterNames), "never")

// seenAt is how each cluster was seen when an event was the last.
type seenAt struct {
	seq  uint64
	time fsm.Time // of that event
	pics map[string]string
}

func seen(r *fsm.Reader, a *fsm.Applied) seenAt {
	s := seenAt{seq: r.Meta().Seq, time: a.Time, pics: map[string]string{}}
	for _, name := range everyName {
		if c := r.Cluster(name); c != nil {
			s.pics[name] = picture(r.View(c.ID))
		} else {
			s.pics[name] = picture(nil)
		}
	}
	return s
}

// TestAsOf checks that at the end of any log each cluster reads as of any event that is kept as it did then, with the time of
// that event; that views move with events alone; and that asking changes nothing.
func TestAsOf(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var all []seenAt
		h := tell(t, func(h *history, _ *entry, _ *fsm.Reader, a *fsm.Applied) {
			s := seen(h.state.Read(), a)
			if n := len(all); n == 0 || all[n-1].seq < s.seq {
				all = append(all, s)
			} else if diff := cmp.Diff(all[n-1].pics, s.pics); diff != "" {
				t.Fatalf("a view moved without an event (-before +after):\n%s", diff)
			}
		})
		r := h.state.Read()
		before := snapshot(t, h.state)
		oldest := r.Meta().First - 1
		for range 4 {
			s := rapid.SampledFrom(all).Draw(t, "seen")
			for name, want := range s.pics {
				v, at, err := r.AsOf(t.Context(), name, s.seq)
				switch {
				case s.seq < oldest:
					if !errors.Is(err, fsm.ErrGone) {
						t.Fatalf("as of %d, before the kept events from %d: %v", s.seq, oldest+1, err)
					}
				case err != nil:
					t.Fatalf("%q as of %d: %v", name, s.seq, err)
				case picture(v) != want:
					t.Fatalf("%q as of %d (-want +got):\n%s", name, s.seq, cmp.Diff(want, picture(v)))
				case v.Cluster != nil && v.Cluster.Name != name:
					t.Fatalf("%q as of %d is called %q", name, s.seq, v.Cluster.Name)
				case s.seq > oldest && at != s.time:
					t.Fatalf("event %d is of %d, told as of %d", s.seq, s.time, at)
				}
			}
		}
		if !slices.Equal(before, snapshot(t, h.state)) {
			t.Fatal("asking changed the state")
		}
	})
}

// asOf is a cluster as of an event, which must be known.
func (l *log) asOf(name string, seq uint64) *fsm.View {
	l.t.Helper()
	v, _, err := l.state.Read().AsOf(l.t.Context(), name, seq)
	if err != nil {
		l.t.Fatalf("%q as of %d: %v", name, seq, err)
	}
	return v
}

// TestAsOfComesAndGoes follows a cluster that is discovered, removed and discovered again beside one whose name holds its name:
// as of every event it is what folding the events up to there makes of it.
func TestAsOfComesAndGoes(t *testing.T) {
	l := newLog(t)
	d := l.discovery("d")
	l.cluster(d, "cc", "a")
	for _, node := range []string{"a", "b"} {
		c := l.cluster(d, "c", node)
		l.ok(l.round(l.claim(fsm.KindRefresh, c.ID, fsm.WhyDue), up(node, "0:primary")))
		l.move(c.ID, "g")
		change := l.forget("c", node)
		change.Facts = slices.Insert(change.Facts, len(change.Facts)-1, fsm.Fact{
			Type: fsm.ClusterSettingsChanged, Before: &fsm.SettingsPart{Settable: fsm.Settable{Group: "g"}}, After: &fsm.SettingsPart{},
		})
		l.ok(&fsm.ClusterChange{Cause: operator, Changes: []fsm.Change{change}})
	}
	l.cluster(d, "c", "a", "b")
	want, came, went := &fsm.View{Nodes: map[string]*fsm.Node{}}, 0, 0
	for e := range l.state.Read().Events(0) {
		if e.Cluster == "c" {
			if err := fsm.Fold(want, e.Fact); err != nil {
				t.Fatal(err)
			}
		}
		got := l.asOf("c", e.Seq)
		if diff := cmp.Diff(picture(want), picture(got)); diff != "" {
			t.Fatalf("as of event %d, %s (-want +got):\n%s", e.Seq, e.Type, diff)
		}
		if got.Cluster != nil && got.Cluster.Name != "c" {
			t.Errorf("as of event %d, %s, it is called %q", e.Seq, e.Type, got.Cluster.Name)
		}
		if e.Cluster == "c" && e.Type == fsm.ClusterDiscovered {
			came++
		} else if e.Cluster == "c" && e.Type == fsm.ClusterRemoved {
			went++
		}
	}
	if came != 3 || went != 2 {
		t.Errorf("it came %d times and went %d times", came, went)
	}
	if v := l.asOf("c", 0); v.Cluster != nil || len(v.Nodes) != 0 {
		t.Errorf("before all events it is %+v", v)
	}
}

// goneBefore checks that nothing is known before an event, all is from there on, and that the refusal names its cursor.
func (l *log) goneBefore(oldest uint64) {
	l.t.Helper()
	r := l.state.Read()
	_, _, err := r.AsOf(l.t.Context(), "c", oldest-1)
	var gone *fsm.Error
	if !errors.As(err, &gone) || gone.Code != fsm.CodeGone || gone.Fields["oldest"] != r.Meta().Cursor(oldest).String() {
		l.t.Errorf("as of %d, before %d: %v with %+v", oldest-1, oldest, err, gone)
	}
	for seq := oldest; seq <= r.Meta().Seq; seq++ {
		l.asOf("c", seq)
	}
}

// TestAsOfTrimmed checks how far back is known once events are trimmed, and of what time the oldest is.
func TestAsOfTrimmed(t *testing.T) {
	l := newLog(t)
	c := l.cluster(l.discovery("d"), "c", "a")
	l.move(c.ID, "g")
	l.move(c.ID, "h")
	last := l.state.Read().Meta().Seq
	want := picture(l.asOf("c", last-1))
	l.ok(&fsm.EventsTrim{First: last})
	l.goneBefore(last - 1)
	r := l.state.Read()
	v, at, err := r.AsOf(t.Context(), "c", last-1)
	if err != nil || picture(v) != want || at != r.Meta().Time-1000 {
		t.Errorf("before the first kept event: at %d, %v, %s; want %s", at, err, picture(v), want)
	}
	l.ok(&fsm.EventsTrim{First: last + 1})
	l.goneBefore(last)
	r = l.state.Read()
	if v, at, err := r.AsOf(t.Context(), "c", last); err != nil || v.Cluster != r.Cluster("c") || at != r.Meta().Time {
		t.Errorf("with no event kept: at %d, %v, %+v", at, err, v)
	}
}

// TestAsOfBeforeRestore checks that what was before the current epoch's first event is gone, though its events are kept: what
// that epoch begins with is not what they led to.
func TestAsOfBeforeRestore(t *testing.T) {
	l := newLog(t)
	c := l.cluster(l.discovery("d"), "c", "a")
	for _, group := range []string{"g", "h", "i"} {
		l.move(c.ID, group)
	}
	cut := l.state.Read().Meta().Seq - 1
	l.state = restored(t, epochFrom(t, l.snapshot(), cut))
	if got := l.state.Read().Meta().Epoch(); got != "e2" {
		t.Fatalf("the epoch is %q", got)
	}
	l.goneBefore(cut)
	l.ok(&fsm.EventsTrim{First: cut + 2})
	l.goneBefore(cut + 1)
}

// epochFrom is a snapshot with another epoch, which begins at an event.
func epochFrom(t *testing.T, snap []byte, first uint64) []byte {
	t.Helper()
	all := framesOf(t, snap)
	all = all[:len(all)-1]
	for i := range all {
		switch all[i].number {
		case 0:
			recoded(t, &all[i], func(h *fsm.Header) { h.Epoch = "e2" })
		case 1:
			recoded(t, &all[i], func(m *fsm.Meta) { m.Epochs = append(m.Epochs, fsm.EpochMark{Epoch: "e2", First: first}) })
		}
	}
	return joined(t, all, len(all)-1)
}

// recoded changes what a frame holds.
func recoded[T any](t *testing.T, f *frame, change func(*T)) {
	t.Helper()
	var row T
	if err := cbor.Unmarshal(f.body, &row); err != nil {
		t.Fatal(err)
	}
	change(&row)
	var err error
	if f.body, err = cbor.Marshal(row); err != nil {
		t.Fatal(err)
	}
}

// TestAsOfToCome checks that what is still to come is no answer, nor anything of a group that is not born.
func TestAsOfToCome(t *testing.T) {
	l := newLog(t)
	l.cluster(l.discovery("d"), "c", "a")
	l.asOf("c", l.state.Read().Meta().Seq)
	for _, seq := range []uint64{l.state.Read().Meta().Seq + 1, 1 << 63, 1<<64 - 1} {
		if _, _, err := l.state.Read().AsOf(t.Context(), "c", seq); !errors.Is(err, fsm.ErrInvalid) {
			t.Errorf("as of %d: %v", seq, err)
		}
	}
	unborn := fsm.NewState().Read()
	if v, _, err := unborn.AsOf(t.Context(), "c", 0); err != nil || v.Cluster != nil {
		t.Errorf("before the group: %+v, %v", v, err)
	}
	if _, _, err := unborn.AsOf(t.Context(), "c", 1); !errors.Is(err, fsm.ErrInvalid) {
		t.Errorf("before the group, as of its first event: %v", err)
	}
}

// endsAfter is a context that ends when it was looked at so often.
type endsAfter struct {
	context.Context
	looks *int
}

func (c endsAfter) Err() error {
	if *c.looks--; *c.looks < 0 {
		return context.DeadlineExceeded
	}
	return nil
}

// TestAsOfEnds checks that a walk through many events looks now and then whether it is still wanted, and ends when it is not.
func TestAsOfEnds(t *testing.T) {
	l := newLog(t)
	c := l.cluster(l.discovery("d"), "c", "a")
	from := l.state.Read().Meta().Seq
	acts := make([]fsm.Command, 5000)
	for i := range acts {
		acts[i] = &fsm.OperatorAct{Action: "look", Cause: operator}
	}
	l.entry(acts...)
	l.move(c.ID, "g")
	for _, looks := range []int{0, 1, 4} {
		left := looks
		_, _, err := l.state.Read().AsOf(endsAfter{t.Context(), &left}, "c", from)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("ended at look %d, it went on: %v", looks, err)
		}
	}
	left := 100
	if _, _, err := l.state.Read().AsOf(endsAfter{t.Context(), &left}, "c", from); err != nil || left < 80 {
		t.Errorf("%d looks for 5,000 events, %v", 100-left, err)
	}
}
