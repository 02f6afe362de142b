package fsm_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/musterhq/muster/fsm"
)

// ledger is what a history's entries must add up to.
type ledger struct {
	t      *rapid.T
	shadow *fsm.State                   // applies the same entries without what was refused
	events []fsm.Event                  // all that were ever appended
	sizes  []int                        // of the events, encoded
	views  map[string]*fsm.View         // folded from the events alone
	past   map[uint64]map[string]string // the views after the event of a seq
	tokens map[fsm.Subject]uint64       // of the last claim of each subject
	over   map[fsm.Ticket]bool          // claims that were closed
	parts  map[part]bool                // that were accepted
}

// TestHistory writes random logs and checks after every entry what must hold of the state, its events and its indexes.
func TestHistory(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := &ledger{
			t: t, shadow: fsm.NewState(), views: map[string]*fsm.View{}, past: map[uint64]map[string]string{},
			tokens: map[fsm.Subject]uint64{}, over: map[fsm.Ticket]bool{}, parts: map[part]bool{},
		}
		h := tell(t, func(h *history, e *entry, before *fsm.Reader, a *fsm.Applied) {
			r := h.state.Read()
			l.numbered(r, e, before, a)
			l.folded(r)
			l.kept(r, before)
			l.leavesNoTrace(h, e, a)
			l.claimed(r, e, before, a)
			l.wakes(r, e, before, a)
		})
		l.unfolds(h.state.Read())
	})
}

// numbered checks that the entry's events are the next ones, without a gap and in logical time (I6).
func (l *ledger) numbered(r *fsm.Reader, e *entry, before *fsm.Reader, a *fsm.Applied) {
	m, was := r.Meta(), before.Meta()
	if m.Index != e.index || a.Index != e.index || m.Time != max(was.Time, e.now) || a.Time != m.Time {
		l.t.Fatalf("entry %d at %d left index %d, time %d", e.index, e.now, m.Index, m.Time)
	}
	if len(a.Results) != len(e.commands) || m.Seq != was.Seq+uint64(len(a.Events)) || was.Seq != uint64(len(l.events)) {
		l.t.Fatalf("%d results, %d events, seq %d after %d", len(a.Results), len(a.Events), m.Seq, was.Seq)
	}
	for ev := range r.Events(max(was.Seq, m.First-1)) {
		if ev.Seq != uint64(len(l.events)+1) || ev.Time != m.Time {
			l.t.Fatalf("event %d at %d follows %d in an entry at %d", ev.Seq, ev.Time, len(l.events), m.Time)
		}
		raw, err := ev.MarshalCBOR()
		if err != nil {
			l.t.Fatal(err)
		}
		l.events, l.sizes = append(l.events, *ev), append(l.sizes, len(raw))
	}
	if m.Seq != uint64(len(l.events)) {
		l.t.Fatalf("events up to %d can be read, not to %d", len(l.events), m.Seq)
	}
}

// folded checks that the events alone give every view (I7), and that each of them changed one (I8).
func (l *ledger) folded(r *fsm.Reader) {
	for i := l.foldedTo(); i < len(l.events); i++ {
		ev := &l.events[i]
		if ev.Cluster == "" {
			continue
		}
		v := l.views[ev.Cluster]
		if v == nil {
			v = &fsm.View{Nodes: map[string]*fsm.Node{}}
			l.views[ev.Cluster] = v
		}
		before := picture(v)
		if err := fsm.Fold(v, ev.Fact); err != nil {
			l.t.Fatalf("event %d: %v", ev.Seq, err)
		}
		if before == picture(v) {
			l.t.Fatalf("event %d, %s of %s, changes nothing", ev.Seq, ev.Type, ev.Cluster)
		}
	}
	l.sameViews(r, l.views)
	past := map[string]string{}
	for name, v := range l.views {
		past[name] = picture(v)
	}
	l.past[uint64(len(l.events))] = past
}

func (l *ledger) foldedTo() int {
	for n := len(l.events); n > 0; n-- {
		if l.past[uint64(n)] != nil {
			return n
		}
	}
	return 0
}

// sameViews checks that the state's views are these, and that no row is left of a cluster that is gone.
func (l *ledger) sameViews(r *fsm.Reader, views map[string]*fsm.View) {
	for name, v := range views {
		c := r.Cluster(name)
		if c == nil {
			if v.Cluster != nil || len(v.Nodes) > 0 {
				l.t.Fatalf("the events tell a cluster %q that is not there", name)
			}
			continue
		}
		if want, got := picture(v), picture(r.View(c.ID)); want != got {
			l.t.Fatalf("view of %q folded from events is\n%s\nin the state\n%s", name, want, got)
		}
	}
	for c := range r.Clusters("") {
		if views[c.Name] == nil || views[c.Name].Cluster == nil {
			l.t.Fatalf("no event tells of cluster %q", c.Name)
		}
		if r.Schedule(fsm.Subject{Kind: fsm.KindRefresh, ID: c.ID}) == nil {
			l.t.Fatalf("cluster %q has no schedule", c.Name)
		}
	}
	for id := uint64(0); id <= r.Meta().Cluster; id++ {
		subject := fsm.Subject{Kind: fsm.KindRefresh, ID: id}
		if r.ClusterByID(id) == nil &&
			(len(r.View(id).Nodes) > 0 || r.Claim(subject) != nil || r.Schedule(subject) != nil || any1(r.Listings(id))) {
			l.t.Fatalf("rows are left of cluster %d", id)
		}
		for x := range r.Listings(id) {
			if r.Node(id, x.Node) == nil || r.DiscoveryByID(x.Discovery) == nil {
				l.t.Fatalf("listing of %s by discovery %d stands alone", x.Node, x.Discovery)
			}
		}
	}
}

func any1[T any](seq func(func(T) bool)) bool {
	for range seq {
		return true
	}
	return false
}

// unfolds takes the kept events back from the last views and checks every view on the way (I7).
func (l *ledger) unfolds(r *fsm.Reader) {
	m := r.Meta()
	views := map[string]*fsm.View{}
	for c := range r.Clusters("") {
		views[c.Name] = r.View(c.ID)
	}
	kept := slices.Collect(r.Events(m.First - 1))
	for _, ev := range slices.Backward(kept) {
		if ev.Cluster != "" {
			if views[ev.Cluster] == nil {
				views[ev.Cluster] = &fsm.View{Nodes: map[string]*fsm.Node{}}
			}
			if err := fsm.Unfold(views[ev.Cluster], ev.Fact); err != nil {
				l.t.Fatalf("unfold event %d: %v", ev.Seq, err)
			}
		}
		for name, want := range l.past[ev.Seq-1] {
			if want != picture(views[name]) {
				l.t.Fatalf("unfolding event %d does not give back the view of %q", ev.Seq, name)
			}
		}
	}
}

// kept checks that what is kept is one range, counted right, and that the audit table is the last of what operators did,
// each count of its own (I11).
func (l *ledger) kept(r, before *fsm.Reader) {
	m := r.Meta()
	if m.First < before.Meta().First || m.First > m.Seq+1 {
		l.t.Fatalf("the first kept event is %d after %d, of %d", m.First, before.Meta().First, m.Seq)
	}
	next, bytes := m.First, int64(0)
	for ev := range r.Events(0) {
		if ev.Seq != next {
			l.t.Fatalf("event %d is kept where %d is next", ev.Seq, next)
		}
		bytes += int64(l.sizes[ev.Seq-1])
		next++
	}
	if next != m.Seq+1 || bytes != m.Bytes {
		l.t.Fatalf("kept are events to %d of %d bytes; the state says %d, %d", next-1, bytes, m.Seq, m.Bytes)
	}
	audit := slices.Collect(r.Audit(0))
	if len(audit) != m.Audits {
		l.t.Fatalf("%d audit rows; the state says %d", len(audit), m.Audits)
	}
	for _, ev := range slices.Backward(l.events) {
		if len(audit) == 0 {
			break
		}
		if ev.Cause.Kind != fsm.CauseOperator {
			continue
		}
		if diff := cmp.Diff(&ev, audit[len(audit)-1]); diff != "" {
			l.t.Fatalf("audit row (-want +got):\n%s", diff)
		}
		audit = audit[:len(audit)-1]
	}
	if len(audit) > 0 {
		l.t.Fatalf("audit row %d is no operator's", audit[0].Seq)
	}
}

// leavesNoTrace checks that what was refused changed nothing, alone and in a batch: a state that never saw it holds the
// same bytes (I2).
func (l *ledger) leavesNoTrace(h *history, e *entry, a *fsm.Applied) {
	accepted := entry{index: e.index, now: e.now}
	for i, c := range e.commands {
		if a.Results[i].Error == nil && !a.Results[i].Already {
			accepted.commands = append(accepted.commands, c)
		}
	}
	accepted.apply(l.t, l.shadow)
	if !bytes.Equal(snapshot(l.t, h.state), snapshot(l.t, l.shadow)) {
		l.t.Fatalf("entry %d: what was refused left a trace: %s", e.index, names(e, a))
	}
}

func names(e *entry, a *fsm.Applied) (out []string) {
	for i, c := range e.commands {
		verdict := "accepted"
		if err := a.Results[i].Error; err != nil {
			verdict = err.Message
		}
		out = append(out, fsm.KindName(c)+": "+verdict)
	}
	return out
}
