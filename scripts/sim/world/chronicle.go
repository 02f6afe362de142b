package world

import (
	"encoding/json"

	"github.com/musterhq/muster/fsm"
)

// chronicle is the events of all time, and the views that they alone give.
type chronicle struct {
	w     *World
	seq   uint64
	views map[string]*fsm.View
	past  []memory // views as they were after some events
	times []fsm.Time
	sizes []int // of the events, encoded
}

// memory is a view after an event.
type memory struct {
	cluster string
	seq     uint64
	picture string
}

func newChronicle(w *World) chronicle { return chronicle{w: w, views: map[string]*fsm.View{}} }

// check checks the events of an entry: numbered without gap (I6), each a change of a view, and no change of one without them
// (I7, I8), kept until they are beyond a limit (I11).
func (k *chronicle) check(c *committed) {
	m, was := c.after.Meta(), c.before.Meta()
	if m.Seq != was.Seq+uint64(len(c.applied.Events)) || was.Seq != k.seq {
		k.w.fail("I6", "entry %d: %d events lead from %d to %d", c.entry.index, len(c.applied.Events), was.Seq, m.Seq)
	}
	changed := map[string]bool{}
	if m.Seq > was.Seq {
		for e := range c.after.Events(max(was.Seq, m.First-1)) {
			k.event(c, e, changed)
		}
	}
	if k.seq != m.Seq {
		k.w.fail("I6", "entry %d: events are there up to %d, not %d", c.entry.index, k.seq, m.Seq)
	}
	for _, s := range c.applied.Touched {
		if row := c.after.ClusterByID(s.ID); s.Kind == fsm.KindRefresh && row != nil {
			if old := c.before.ClusterByID(s.ID); old != nil && old.Index != row.Index && !changed[row.Name] {
				k.same(c, row.Name)
			}
		}
	}
	for _, name := range sorted(changed) {
		picture := k.same(c, name)
		k.past = append(k.past, memory{name, m.Seq, picture})
	}
	k.kept(c)
	if len(k.w.log.entries)%imageEvery == 0 {
		k.whole(c.after)
	}
}

// event takes in the next event.
func (k *chronicle) event(c *committed, e *fsm.Event, changed map[string]bool) {
	k.seq++
	raw, err := e.MarshalCBOR()
	if err != nil || e.Seq != k.seq || e.Time != c.after.Meta().Time {
		k.w.fail("I6", "entry %d: event %d at %d is the one after %d at %d: %v", c.entry.index, e.Seq, e.Time, k.seq-1,
			c.after.Meta().Time, err)
	}
	k.times, k.sizes = append(k.times, e.Time), append(k.sizes, len(raw))
	k.w.count.add("event")
	k.w.count.add("event " + string(e.Type))
	if e.Cluster == "" {
		return
	}
	changed[e.Cluster] = true
	v := k.views[e.Cluster]
	if v == nil {
		v = &fsm.View{Nodes: map[string]*fsm.Node{}}
		k.views[e.Cluster] = v
	}
	cluster, node := v.Cluster, v.Nodes[e.Node]
	if err := fsm.Fold(v, e.Fact); err != nil {
		k.w.fail("I7", "entry %d: event %d: %v", c.entry.index, e.Seq, err)
	}
	if cluster == v.Cluster && node == v.Nodes[e.Node] || text(e.Before) == text(e.After) {
		k.w.fail("I8", "entry %d: event %d, %s of %s %s, changes nothing", c.entry.index, e.Seq, e.Type, e.Cluster, e.Node)
	}
	k.cause(c, e)
}

// cause checks who may tell what: a poll never takes a node away (I25).
func (k *chronicle) cause(c *committed, e *fsm.Event) {
	switch e.Type {
	case fsm.NodeMissing, fsm.NodeRemoved, fsm.NodeReturned:
		if e.Cause.Kind != fsm.CauseDiscovery {
			k.w.fail("I25", "entry %d: %s of %s by %s", c.entry.index, e.Type, e.Node, e.Cause.Kind)
		}
	case fsm.NodeForgotten:
		if e.Cause.Kind != fsm.CauseOperator {
			k.w.fail("I25", "entry %d: %s of %s by %s", c.entry.index, e.Type, e.Node, e.Cause.Kind)
		}
	}
}

// same checks that the state's view of a cluster is the one that its events give.
func (k *chronicle) same(c *committed, name string) string {
	want := picture(k.views[name])
	var got *fsm.View
	if row := c.after.Cluster(name); row != nil {
		got = c.after.View(row.ID)
	}
	if got := picture(got); got != want {
		k.w.fail("I7", "entry %d: the view of %s is\n%s\nand its events give\n%s", c.entry.index, name, got, want)
	}
	return want
}

// whole checks all views.
func (k *chronicle) whole(r *fsm.Reader) {
	n := 0
	for row := range r.Clusters("") {
		n++
		if got, want := picture(r.View(row.ID)), picture(k.views[row.Name]); got != want {
			k.w.fail("I8", "the view of %s is\n%s\nand its events give\n%s", row.Name, got, want)
		}
	}
	for _, v := range k.views {
		if v.Cluster != nil {
			n--
		}
	}
	if n != 0 {
		k.w.fail("I7", "there are %d clusters more than events tell of", n)
	}
}

// kept checks what was trimmed: only events beyond a limit, and none but the first ones (I11).
func (k *chronicle) kept(c *committed) {
	m, was := c.after.Meta(), c.before.Meta()
	trims := 0
	c.each(func(command fsm.Command, _ fsm.Result) {
		t, ok := command.(*fsm.EventsTrim)
		if !ok {
			return
		}
		trims++
		if want := max(was.First, min(t.First, was.Seq+1)); m.First != want && trims == 1 && len(c.commands) == 1 {
			k.w.fail("I11", "entry %d: trimmed to %d where %d was asked", c.entry.index, m.First, want)
		}
	})
	if m.First < was.First || m.First > was.First && trims == 0 {
		k.w.fail("I11", "entry %d: the first event was %d and is %d", c.entry.index, was.First, m.First)
	}
	if trims == 0 {
		return
	}
	bytes, n := int64(0), uint64(0)
	for e := range c.after.Events(0) {
		if n == 0 && e.Seq != m.First || n > 0 && e.Seq != m.First+n {
			k.w.fail("I11", "entry %d: event %d is kept at place %d from %d", c.entry.index, e.Seq, n, m.First)
		}
		bytes += int64(k.sizes[e.Seq-1])
		n++
	}
	if n != m.Seq+1-m.First || bytes != m.Bytes {
		k.w.fail("I11", "entry %d: %d events of %d bytes are kept; said are %d from %d, and %d bytes", c.entry.index, n, bytes,
			m.Seq, m.First, m.Bytes)
	}
	if m.First == was.First {
		return
	}
	// The last one that went must be beyond a limit. A leader may have judged by settings that were changed on the way.
	last := m.First - 1
	if c.before.Settings().Index+8 > c.entry.index {
		return
	}
	keep := c.before.Settings().Retention
	byCount := m.Seq+1-last > uint64(keep.Events)
	byAge := k.times[last-1] < m.Time.Add(-keep.Age)
	if !byCount && !byAge && bytes+int64(k.sizes[last-1]) <= keep.Bytes {
		k.w.fail("I11", "entry %d: event %d went and was within every limit", c.entry.index, last)
	}
}

// picture is all of a view but ids and versions, which are the rows' and not the events'.
func picture(v *fsm.View) string {
	out := fsm.View{Nodes: map[string]*fsm.Node{}}
	if v != nil && v.Cluster != nil {
		c := *v.Cluster
		c.ID, c.Name, c.Index = 0, "", 0
		out.Cluster = &c
	}
	if v != nil {
		for id, n := range v.Nodes {
			row := *n
			row.Cluster, row.Index = 0, 0
			out.Nodes[id] = &row
		}
	}
	return text(&out)
}

func text(x any) string {
	raw, err := json.Marshal(x)
	if err != nil {
		panic(err)
	}
	return string(raw)
}
