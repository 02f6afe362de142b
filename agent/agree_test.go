package agent

import (
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/fsm"
)

// agree checks what must hold of every group at any time: its running peers come to the leader's entry; each peer's events
// are one range without a gap, the same as every other's; and folding every cluster's events over an empty view gives the
// view that the peer holds, no more and no less.
func (w *world) agree() {
	w.t.Helper()
	leader := w.leader()
	index := leader.machine.Read().Meta().Index
	want := eventsOf(leader.machine.Read())
	for _, p := range w.running() {
		r := p.await("the leader's entry", func(r *fsm.Reader) bool { return r.Meta().Index >= index })
		got := eventsOf(r)
		for i, e := range got {
			if e.Seq != uint64(i+1) {
				w.t.Fatalf("%s: event %d has seq %d", p.name, i+1, e.Seq)
			}
			if i > 0 && e.Time < got[i-1].Time {
				w.t.Fatalf("%s: event %d goes back in time, from %s to %s", p.name, e.Seq, got[i-1].Time, e.Time)
			}
			if i < len(want) && !reflect.DeepEqual(e, want[i]) {
				w.t.Fatalf("event %d of %s (-) is another on %s (+):\n%s", e.Seq, leader.name, p.name, cmp.Diff(want[i], e))
			}
		}
		checkFold(w.t, p.name, r, got)
	}
}

// checkFold folds events into views and compares them with the reader's.
func checkFold(t *testing.T, name string, r *fsm.Reader, events []*fsm.Event) {
	t.Helper()
	views := map[string]*fsm.View{}
	for _, e := range events {
		if e.Cluster == "" {
			continue
		}
		v := views[e.Cluster]
		if v == nil {
			v = &fsm.View{Nodes: map[string]*fsm.Node{}}
			views[e.Cluster] = v
		}
		if err := fsm.Fold(v, e.Fact); err != nil {
			t.Fatalf("%s: event %d does not fold: %v", name, e.Seq, err)
		}
		if v.Cluster == nil {
			delete(views, e.Cluster)
		}
	}
	kept := map[string]*fsm.View{}
	for c := range r.Clusters("") {
		kept[c.Name] = r.View(c.ID)
	}
	ignore := cmp.Options{
		cmpopts.IgnoreFields(fsm.Cluster{}, "ID", "Name", "Index"), cmpopts.IgnoreFields(fsm.Node{}, "Cluster", "ID", "Index"),
		cmpopts.EquateEmpty(),
	}
	if diff := cmp.Diff(kept, views, ignore); diff != "" {
		t.Fatalf("%s: views (-) are not what the events fold into (+):\n%s", name, diff)
	}
}

func eventsOf(r *fsm.Reader) []*fsm.Event { return slices.Collect(r.Events(0)) }

// events are a peer's events after a seq whose types match a pattern.
func (p *peer) events(after uint64, pattern string) []*fsm.Event {
	var out []*fsm.Event
	for e := range p.machine.Read().Events(after) {
		if e.Type.Matches(pattern) {
			out = append(out, e)
		}
	}
	return out
}

// told is how often events of a type came after a seq.
func told(after uint64, t fsm.EventType, times int) func(*fsm.Reader) bool {
	return func(r *fsm.Reader) bool {
		n := 0
		for e := range r.Events(after) {
			if e.Type == t {
				n++
			}
		}
		return n >= times
	}
}

// seq is the last event of a peer.
func (p *peer) seq() uint64 { return p.machine.Read().Meta().Seq }

// tells checks the types of the events after a seq that match any of the patterns.
func (p *peer) tells(after uint64, pattern string, want ...fsm.EventType) {
	p.w.t.Helper()
	var got []fsm.EventType
	for _, e := range p.events(after, pattern) {
		got = append(got, e.Type)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		p.w.t.Errorf("%s: events %s after %d (-want +got):\n%s", p.name, pattern, after, diff)
	}
}

// healthy says whether n clusters are all healthy.
func healthy(n int) func(*fsm.Reader) bool {
	return func(r *fsm.Reader) bool {
		found := 0
		for c := range r.Clusters("") {
			if c.Health == fsm.HealthHealthy {
				found++
			}
		}
		return found == n
	}
}

// observed says whether every cluster was refreshed at or after a logical time.
func observed(since fsm.Time) func(*fsm.Reader) bool {
	return func(r *fsm.Reader) bool {
		for c := range r.Clusters("") {
			s := r.Schedule(fsm.Subject{Kind: fsm.KindRefresh, ID: c.ID})
			if s == nil || s.Observed < since {
				return false
			}
		}
		return true
	}
}

// nodeOf is the world's node i of cluster c as a reader has it, or nil.
func nodeOf(r *fsm.Reader, c, i int) *fsm.Node {
	rec := recordOf(c, i)
	row := r.Cluster(rec.Cluster)
	if row == nil {
		return nil
	}
	return r.Node(row.ID, rec.Node)
}

// reach says whether a node's reach has a value.
func reach(c, i int, value string) func(*fsm.Reader) bool {
	return func(r *fsm.Reader) bool {
		n := nodeOf(r, c, i)
		return n != nil && n.Reach.Value == value
	}
}

// refreshOf is the subject of cluster c.
func refreshOf(r *fsm.Reader, c int) fsm.Subject {
	return fsm.Subject{Kind: fsm.KindRefresh, ID: r.Cluster(recordOf(c, 0).Cluster).ID}
}

// entry is one entry of the log.
type entry struct {
	time     fsm.Time
	commands []fsm.Command
}

// logged are the entries with commands of a peer's log after an index, in order.
func (p *peer) logged(after uint64) (out []entry) {
	p.w.t.Helper()
	last, err := p.logs.LastIndex()
	if err != nil {
		p.w.t.Fatal(err)
	}
	for i := after + 1; i <= last; i++ {
		var l raft.Log
		if err := p.logs.GetLog(i, &l); err != nil {
			p.w.t.Fatal(err)
		}
		if l.Type != raft.LogCommand {
			continue
		}
		at, commands, err := fsm.DecodeEntry(l.Data)
		if err != nil {
			p.w.t.Fatal(err)
		}
		out = append(out, entry{at, commands})
	}
	return out
}

// commandsOf are the commands of one kind among entries.
func commandsOf[C fsm.Command](entries []entry) (out []C) {
	for _, e := range entries {
		for _, c := range e.commands {
			if c, ok := c.(C); ok {
				out = append(out, c)
			}
		}
	}
	return out
}

// index is a peer's last applied entry.
func (p *peer) index() uint64 { return p.machine.Read().Meta().Index }
