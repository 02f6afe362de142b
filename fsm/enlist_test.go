package fsm_test

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/musterhq/muster/fsm"
)

// fataler is the part of a test that a register needs; rapid's tests have it too.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

// register is one cluster's roll with enrolments applied to it as the log applies them.
type register struct {
	fsm.Roll
	t     fataler
	index uint64
}

// newRegister holds the discoveries 1, 2, …, named d1, d2, …, of these settings.
func newRegister(t fataler, specs ...fsm.Spec) *register {
	w := &register{t: t, Roll: fsm.Roll{
		View: &fsm.View{Nodes: map[string]*fsm.Node{}}, Discoveries: map[uint64]*fsm.Discovery{},
	}}
	for i, s := range specs {
		id := uint64(i + 1)
		w.Discoveries[id] = &fsm.Discovery{ID: id, Name: "d" + strconv.Itoa(i+1), Spec: s}
	}
	return w
}

// setting is the default setting as changed by one function.
func setting(change func(*fsm.Spec)) fsm.Spec {
	s := fsm.DefaultSpec()
	if change != nil {
		change(&s)
	}
	return s
}

func (w *register) clone() *register {
	c := *w
	c.View, c.Listings = w.View.Clone(), slices.Clone(w.Listings)
	return &c
}

// reading is what a discovery read at a second: "a b:7000" lists two nodes at addresses that name the discovery.
func reading(discovery uint64, second int64, nodes string) fsm.Reading {
	r := fsm.Reading{Discovery: discovery, Cluster: "orders", Now: clock(second), Full: true}
	for word := range strings.FieldsSeq(nodes) {
		id, port, _ := strings.Cut(word, ":")
		rec := fsm.Record{Cluster: "orders", Node: id, Address: fmt.Sprintf("10.0.0.%d", discovery), Port: 8655}
		if port != "" {
			rec.Port, _ = strconv.Atoi(port)
		}
		r.Records = append(r.Records, rec)
	}
	return r
}

func clock(second int64) fsm.Time { return fsm.Time(1_800_000_000_000 + 1000*second) }

// take enlists a reading, applies what comes of it, and returns it.
func (w *register) take(r fsm.Reading) fsm.Enrolment {
	w.t.Helper()
	e := fsm.Enlist(&w.Roll, r)
	w.apply(r.Discovery, e)
	if again := fsm.Enlist(&w.Roll, r); !again.IsZero() {
		w.t.Fatalf("the same reading again gave %s\nafter %s", factsOf(again), factsOf(e))
	}
	return e
}

// apply is what the log does with an enrolment, with every check a proposer must pass.
func (w *register) apply(discovery uint64, e fsm.Enrolment) {
	w.t.Helper()
	w.wellFormed(e)
	before := w.View.Clone()
	if err := fsm.FoldAll(w.View, e.Facts); err != nil {
		w.t.Fatalf("fold: %s\n%s", err, factsOf(e))
	}
	w.unfolds(before, e.Facts)
	mine := func(node string) func(fsm.Listing) bool {
		return func(l fsm.Listing) bool { return l.Discovery == discovery && l.Node == node }
	}
	for _, l := range e.Put {
		w.Listings = append(slices.DeleteFunc(w.Listings, mine(l.Node)), l)
	}
	for _, node := range e.Drop {
		w.Listings = slices.DeleteFunc(w.Listings, mine(node))
	}
	w.sweep()
	w.index++
	if w.View.Cluster != nil && !e.IsZero() {
		c := *w.View.Cluster
		c.ID, c.Name, c.Index = 1, "orders", w.index
		w.View.Cluster = &c
	}
}

// sweep drops the listings of nodes that are gone.
func (w *register) sweep() {
	w.Listings = slices.DeleteFunc(w.Listings, func(l fsm.Listing) bool { return w.View.Nodes[l.Node] == nil })
}

// wellFormed checks base, order and encoding of an enrolment.
func (w *register) wellFormed(e fsm.Enrolment) {
	w.t.Helper()
	id, base := uint64(0), uint64(0)
	if c := w.View.Cluster; c != nil {
		id, base = c.ID, c.Index
	}
	if e.ID != id || e.Base != base || e.Cluster != "orders" {
		w.t.Fatalf("enrolment of %q, id %d, base %d; want orders, %d, %d", e.Cluster, e.ID, e.Base, id, base)
	}
	put := make([]string, 0, len(e.Put))
	for _, l := range e.Put {
		put = append(put, l.Node)
		if l.Cluster != 0 || slices.Contains(e.Drop, l.Node) {
			w.t.Fatalf("put %+v beside drop %v", l, e.Drop)
		}
	}
	for _, nodes := range [][]string{put, e.Drop} {
		if !slices.IsSorted(nodes) || len(slices.Compact(slices.Clone(nodes))) != len(nodes) {
			w.t.Fatalf("%v are not sorted and unique", nodes)
		}
	}
	raw, err := cbor.Marshal(e)
	if err != nil {
		w.t.Fatalf("encode: %s", err)
	}
	var back fsm.Enrolment
	if err := cbor.Unmarshal(raw, &back); err != nil {
		w.t.Fatalf("decode: %s", err)
	}
	if diff := cmp.Diff(e, back, cmpopts.EquateEmpty()); diff != "" {
		w.t.Fatalf("encoded and decoded (-want +got):\n%s", diff)
	}
}

// unfolds takes facts back and wants the view that was before them.
func (w *register) unfolds(before *fsm.View, facts []fsm.Fact) {
	w.t.Helper()
	v := w.View.Clone()
	for _, f := range slices.Backward(facts) {
		if err := fsm.Unfold(v, f); err != nil {
			w.t.Fatalf("unfold: %s", err)
		}
	}
	rows := cmp.Options{
		cmpopts.EquateEmpty(), cmpopts.IgnoreFields(fsm.Cluster{}, "ID", "Name", "Index"),
		cmpopts.IgnoreFields(fsm.Node{}, "Cluster", "Index"),
	}
	if diff := cmp.Diff(before, v, rows); diff != "" {
		w.t.Fatalf("unfolded (-want +got):\n%s", diff)
	}
}

// set replaces a node by a changed copy, as an operator's command does.
func (w *register) set(node string, change func(*fsm.Node)) {
	n := *w.View.Nodes[node]
	change(&n)
	w.View.Nodes[node] = &n
}

// factsOf is an enrolment's facts in short, without what is derived: "node.missing a, node.removed a".
func factsOf(e fsm.Enrolment) string {
	var words []string
	for _, f := range e.Facts {
		switch f.Type {
		case fsm.ClusterHealthChanged, fsm.ClusterVersionsMixed, fsm.ClusterVersionsUniform:
		default:
			words = append(words, strings.TrimSpace(string(f.Type)+" "+f.Node))
		}
	}
	return strings.Join(words, ", ")
}

// membership is the roll in short: each node with its port and sources, marked when missing.
func (w *register) membership() string {
	var words []string
	for _, id := range w.View.NodeIDs() {
		n := w.View.Nodes[id]
		word := fmt.Sprintf("%s@%s:%d%v", id, n.Endpoint.Address, n.Endpoint.Port, n.Sources)
		if n.Presence == fsm.Missing {
			word += " missing"
		}
		words = append(words, word)
	}
	return strings.Join(words, ", ")
}

func TestEnlistNewCluster(t *testing.T) {
	w := newRegister(t, setting(nil))
	e := w.take(reading(1, 0, "b a"))
	var types []fsm.EventType
	for _, f := range e.Facts {
		types = append(types, f.Type)
	}
	want := []fsm.EventType{fsm.ClusterDiscovered, fsm.NodeDiscovered, fsm.NodeDiscovered, fsm.ClusterHealthChanged}
	if diff := cmp.Diff(want, types); diff != "" {
		t.Fatalf("facts (-want +got):\n%s", diff)
	}
	if got := w.membership(); got != "a@10.0.0.1:8655[d1], b@10.0.0.1:8655[d1]" {
		t.Fatal(got)
	}
	if n := w.View.Nodes["a"]; n.Lifecycle != fsm.Commissioned || n.Presence != fsm.Present {
		t.Fatalf("%+v", n)
	}
}

// TestEnlistLeavesTheRoll checks that the replica's rows are only read.
func TestEnlistLeavesTheRoll(t *testing.T) {
	w := newRegister(t, setting(nil), setting(nil))
	w.take(reading(1, 0, "a b"))
	w.take(reading(2, 0, "a"))
	before := w.clone()
	fsm.Enlist(&w.Roll, reading(1, 60, "b:7000 c"))
	fsm.Unlist(&w.Roll, 1, clock(60))
	if diff := cmp.Diff(before.Roll, w.Roll); diff != "" {
		t.Fatalf("the roll changed (-want +got):\n%s", diff)
	}
}

func TestEnlistAdmission(t *testing.T) {
	manual := setting(func(s *fsm.Spec) { s.Admission = fsm.AdmissionManual })
	for name, c := range map[string]struct {
		specs []fsm.Spec
		by    []uint64
		want  fsm.Lifecycle
	}{
		"auto":                      {[]fsm.Spec{setting(nil)}, []uint64{1}, fsm.Commissioned},
		"manual":                    {[]fsm.Spec{manual}, []uint64{1}, fsm.Discovered},
		"auto after manual":         {[]fsm.Spec{manual, setting(nil)}, []uint64{1, 2}, fsm.Discovered},
		"older manual after auto":   {[]fsm.Spec{manual, setting(nil)}, []uint64{2, 1}, fsm.Commissioned},
		"manual after older auto":   {[]fsm.Spec{setting(nil), manual}, []uint64{1, 2}, fsm.Commissioned},
		"commissioned stays listed": {[]fsm.Spec{setting(nil)}, []uint64{1, 1}, fsm.Commissioned},
	} {
		t.Run(name, func(t *testing.T) {
			w := newRegister(t, c.specs...)
			for i, d := range c.by {
				w.take(reading(d, int64(i), "a"))
			}
			if got := w.View.Nodes["a"].Lifecycle; got != c.want {
				t.Fatalf("the node is %s; want %s", got, c.want)
			}
		})
	}
}

// TestEnlistNeverReadmits lists a tombstone and a pending node again and again.
func TestEnlistNeverReadmits(t *testing.T) {
	for _, lifecycle := range []fsm.Lifecycle{fsm.Decommissioned, fsm.Discovered, fsm.Maintenance} {
		w := newRegister(t, setting(nil))
		w.take(reading(1, 0, "a b"))
		w.set("a", func(n *fsm.Node) { n.Lifecycle, n.Presence = lifecycle, fsm.Missing })
		if got := factsOf(w.take(reading(1, 60, "a:7000 b"))); got != "node.changed a, node.returned a" {
			t.Errorf("%s: %s", lifecycle, got)
		}
		if got := w.View.Nodes["a"].Lifecycle; got != lifecycle {
			t.Errorf("a node that was %s became %s", lifecycle, got)
		}
	}
}

func TestUnlist(t *testing.T) {
	remove := setting(func(s *fsm.Spec) { s.OnDelete = fsm.OnDeleteRemove })
	for name, c := range map[string]struct {
		spec   fsm.Spec
		change func(*register)
		facts  string
		left   string
	}{
		"keep": {setting(nil), nil, "node.changed a, node.changed b", "a@10.0.0.2:8655[d2], b@10.0.0.1:8655[]"},
		"remove": {
			remove, nil, "node.changed a, node.removed b", "a@10.0.0.2:8655[d2]",
		},
		"remove with a word": {
			remove, func(w *register) { w.set("b", func(n *fsm.Node) { n.Settings.Group = "blue" }) },
			"node.changed a, node.changed b", "a@10.0.0.2:8655[d2], b@10.0.0.1:8655[]",
		},
		"remove the last": {
			remove, func(w *register) { w.apply(2, fsm.Unlist(&w.Roll, 2, clock(1))) },
			"node.removed a, node.removed b, cluster.removed", "",
		},
		"remove the last of a cluster with a word": {
			remove, func(w *register) {
				w.apply(2, fsm.Unlist(&w.Roll, 2, clock(1)))
				c := *w.View.Cluster
				c.Settings.Group = "blue"
				w.View.Cluster = &c
			},
			"node.removed a, node.removed b", "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newRegister(t, c.spec, setting(nil))
			w.take(reading(1, 0, "a b"))
			w.take(reading(2, 0, "a"))
			if c.change != nil {
				c.change(w)
			}
			e := fsm.Unlist(&w.Roll, 1, clock(60))
			w.apply(1, e)
			if got := factsOf(e); got != c.facts {
				t.Errorf("facts: %s\nwant:  %s", got, c.facts)
			}
			if got := w.membership(); got != c.left {
				t.Errorf("left: %s\nwant: %s", got, c.left)
			}
			if got := slices.Sorted(maps.Keys(w.View.Nodes)); w.View.Cluster == nil && len(got) > 0 {
				t.Errorf("nodes %v without a cluster", got)
			}
			if again := fsm.Unlist(&w.Roll, 1, clock(61)); !again.IsZero() {
				t.Errorf("again: %+v", again)
			}
		})
	}
}

// TestSourcelessStays reads on after a discovery that kept its nodes: nothing removes them, and another may list them.
func TestSourcelessStays(t *testing.T) {
	w := newRegister(t, setting(nil), setting(nil))
	w.take(reading(2, 0, "z"))
	w.take(reading(1, 0, "a"))
	w.apply(1, fsm.Unlist(&w.Roll, 1, clock(60)))
	for s := int64(60); s < 7200; s += 60 {
		if e := w.take(reading(2, s, "z")); !e.IsZero() {
			t.Fatalf("%s at %d", factsOf(e), s)
		}
	}
	if got := factsOf(w.take(reading(2, 7200, "a z"))); got != "node.changed a" {
		t.Fatal(got)
	}
	if got := w.membership(); got != "a@10.0.0.2:8655[d2], z@10.0.0.2:8655[d2]" {
		t.Fatal(got)
	}
}
