package fsm_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/musterhq/muster/fsm"
)

// track is what one discovery's readings alone say of one node it listed, kept by the rules as they are written and not by
// how listings keep them.
type track struct {
	port   int
	reads  []fsm.Time // full reads that counted without it, in a row
	given  bool       // remove_after has passed, and no operator's word kept the listing
	listed bool       // now
}

// gone says whether the discovery's readings make the node missing.
func (k *track) gone(s *fsm.Spec) bool {
	n := len(k.reads)
	if n < 2 || k.reads[n-1].Sub(k.reads[0]) < s.MissingAfter {
		return false
	}
	return n >= 3 || k.reads[1].Sub(k.reads[0]) <= 2*s.Interval
}

// sky is what is true beside the register: the sources' own lists, and the tracks of every node that is there.
type sky struct {
	*register
	rt     *rapid.T
	now    int64
	lists  map[uint64]map[string]int // by discovery: node to port
	tracks map[string]map[uint64]*track
	bare   map[string]bool // kept without a source
}

var worldNodes = []string{"a", "b", "c", "d", "e", "f"}

func newSky(rt *rapid.T) *sky {
	var specs []fsm.Spec
	for range 3 {
		specs = append(specs, setting(func(s *fsm.Spec) {
			s.MissingAfter = rapid.SampledFrom([]fsm.Duration{0, fsm.Minute, 3 * fsm.Minute}).Draw(rt, "missing_after")
			s.RemoveAfter = s.MissingAfter + rapid.SampledFrom([]fsm.Duration{0, 5 * fsm.Minute}).Draw(rt, "remove_after")
			s.MaxShrink = rapid.SampledFrom([]fsm.Percent{0, 30, 70, 100}).Draw(rt, "max_shrink")
			s.OnDelete = rapid.SampledFrom([]string{fsm.OnDeleteKeep, fsm.OnDeleteRemove}).Draw(rt, "on_delete")
		}))
	}
	w := &sky{
		register: newRegister(rt, specs...), rt: rt, tracks: map[string]map[uint64]*track{}, bare: map[string]bool{},
		lists: map[uint64]map[string]int{1: {}, 2: {}, 3: {}},
	}
	return w
}

// discovery draws one that is enabled, or 0.
func (w *sky) discovery() uint64 {
	id := rapid.Uint64Range(1, 3).Draw(w.rt, "discovery")
	if !w.Discoveries[id].Spec.Enabled {
		return 0
	}
	return id
}

// read draws what a source lists now: mostly what it listed before.
func (w *sky) read(id uint64) fsm.Reading {
	list := w.lists[id]
	switch rapid.IntRange(0, 9).Draw(w.rt, "moves") {
	case 0:
		clear(list)
	case 1, 2, 3:
		for range rapid.IntRange(1, 3).Draw(w.rt, "flips") {
			node := rapid.SampledFrom(worldNodes).Draw(w.rt, "node")
			if _, ok := list[node]; ok {
				delete(list, node)
			} else {
				list[node] = rapid.IntRange(1, 2).Draw(w.rt, "port")
			}
		}
	}
	var words []string
	for _, node := range worldNodes {
		if port := list[node]; port != 0 {
			words = append(words, fmt.Sprintf("%s:%d", node, port))
		}
	}
	return reading(id, w.now, strings.Join(words, " "))
}

func (w *sky) pass() {
	w.now += rapid.SampledFrom([]int64{1, 20, 60, 60, 60, 120, 200}).Draw(w.rt, "seconds")
}

// full is one full read under the hold guard.
func (w *sky) full() {
	w.pass()
	id := w.discovery()
	if id == 0 {
		return
	}
	r := w.read(id)
	d := *w.Discoveries[id]
	var owned []fsm.Owned
	absent, shown := 0, d.Held != nil && d.Held.Released
	for _, l := range w.Listings {
		if l.Discovery != id {
			continue
		}
		o := fsm.Owned{NodeRef: fsm.NodeRef{Cluster: "orders", Node: l.Node}, Kept: w.View.Nodes[l.Node].Word()}
		owned = append(owned, o)
		if w.lists[id][l.Node] == 0 && !o.Kept {
			absent++
			shown = shown && slices.Contains(d.Held.Nodes, o.NodeRef)
		}
	}
	v := fsm.Judge(owned, r.Records, &d, r.Now)
	many := absent > max(3, len(owned)*int(d.Spec.MaxShrink)/100) || len(owned) > 0 && len(r.Records) == 0
	if v.Hold != (many && !shown) {
		w.t.Fatalf("%d of %d absent, released %t: held %t", absent, len(owned), shown, v.Hold)
	}
	d.Held = v.Held
	w.Discoveries[id] = &d
	r.Hold = v.Hold
	w.follow(r)
}

// nudge reads part of what a source lists.
func (w *sky) nudge() {
	id := w.discovery()
	if id == 0 {
		return
	}
	r := w.read(id)
	r.Full = false
	r.Records = r.Records[:rapid.IntRange(0, len(r.Records)).Draw(w.rt, "nudged")]
	w.follow(r)
}

// follow takes a reading and checks what it made against the tracks.
func (w *sky) follow(r fsm.Reading) {
	before := w.clone()
	e := w.take(r)
	w.notice(r)
	for _, f := range e.Facts {
		switch f.Type {
		case fsm.NodeMissing, fsm.NodeRemoved:
			if !r.Full || r.Hold {
				w.t.Fatalf("%s %s by a read that counts no absence", f.Type, f.Node)
			}
			if !w.missing(f.Node) {
				w.t.Fatalf("%s %s before every source has missed it for long enough", f.Type, f.Node)
			}
		}
		if n := before.View.Nodes[f.Node]; f.Type == fsm.NodeRemoved && n.Word() {
			w.t.Fatalf("%s was removed over an operator's word", f.Node)
		}
	}
	for _, rec := range r.Records {
		if w.View.Nodes[rec.Node].Presence != fsm.Present {
			w.t.Fatalf("%s is listed and missing", rec.Node)
		}
	}
	w.check()
}

// notice keeps the tracks of a reading.
func (w *sky) notice(r fsm.Reading) {
	spec := &w.Discoveries[r.Discovery].Spec
	listed := map[string]bool{}
	for _, rec := range r.Records {
		listed[rec.Node] = true
		if w.tracks[rec.Node] == nil {
			w.tracks[rec.Node] = map[uint64]*track{}
		}
		w.tracks[rec.Node][r.Discovery] = &track{port: rec.Port, listed: true}
		delete(w.bare, rec.Node)
	}
	if !r.Full || r.Hold {
		return
	}
	for node, tracks := range w.tracks {
		k := tracks[r.Discovery]
		if k == nil || listed[node] || k.given {
			continue
		}
		if len(k.reads) == 0 || k.reads[len(k.reads)-1] < r.Now {
			k.listed, k.reads = false, append(k.reads, r.Now)
		}
		n := w.View.Nodes[node]
		k.given = k.gone(spec) && r.Now.Sub(k.reads[0]) >= spec.RemoveAfter && (n == nil || !n.Word())
		if n != nil && n.Presence != fsm.Missing && w.missing(node) {
			w.t.Fatalf("%s is %s, though every source misses it", node, n.Presence)
		}
	}
}

// missing says whether every enabled discovery that listed a node, and there is one, has missed it for long enough.
func (w *sky) missing(node string) bool {
	votes := 0
	for id, k := range w.tracks[node] {
		s := &w.Discoveries[id].Spec
		if !s.Enabled {
			continue
		}
		if !k.gone(s) {
			return false
		}
		votes++
	}
	return votes > 0
}

// check compares the register with what the tracks say: which nodes are there, where they are asked, and who lists them.
func (w *sky) check() {
	for node, tracks := range w.tracks {
		if w.View.Nodes[node] != nil {
			continue
		}
		for id, k := range tracks {
			if !k.given {
				w.t.Fatalf("%s is gone, though d%d has not given it up: %+v", node, id, k)
			}
		}
		delete(w.tracks, node)
	}
	for _, id := range w.View.NodeIDs() {
		n := w.View.Nodes[id]
		var sources []string
		var inForce *track
		for d := uint64(1); d <= 3; d++ {
			k := w.tracks[id][d]
			if k == nil || k.given {
				continue
			}
			sources = append(sources, fmt.Sprintf("d%d", d))
			if inForce == nil || k.listed && !inForce.listed {
				inForce = k
			}
		}
		switch {
		case !slices.Equal(sources, n.Sources):
			w.t.Fatalf("%s has sources %v; want %v", id, n.Sources, sources)
		case len(sources) == 0 && !w.bare[id]:
			w.t.Fatalf("%s is there though nobody lists it", id)
		case inForce != nil && inForce.port != n.Endpoint.Port:
			w.t.Fatalf("%s is at port %d; want %d", id, n.Endpoint.Port, inForce.port)
		}
	}
	if (w.View.Cluster == nil) != (len(w.View.Nodes) == 0) {
		w.t.Fatalf("%d nodes in cluster %+v", len(w.View.Nodes), w.View.Cluster)
	}
}

// duel takes readings of two discoveries in both orders and wants one membership.
func (w *sky) duel() {
	w.pass()
	first, second := w.discovery(), w.discovery()
	if first == 0 || second == 0 || first == second {
		return
	}
	a := w.read(first)
	w.now += rapid.SampledFrom([]int64{0, 0, 5}).Draw(w.rt, "between")
	b := w.read(second)
	other := w.clone()
	other.take(b)
	other.take(a)
	w.follow(a)
	w.follow(b)
	where := func(s string) string { return strings.ReplaceAll(s, " missing", "") }
	if got, want := where(other.membership()), where(w.membership()); got != want {
		w.t.Fatalf("one order gives %s\nthe other       %s", want, got)
	}
}

// operate is an operator's act on a node or a discovery.
func (w *sky) operate() {
	if id := rapid.Uint64Range(1, 3).Draw(w.rt, "discovery"); rapid.IntRange(0, 2).Draw(w.rt, "on") == 0 {
		w.operateDiscovery(id)
		return
	}
	if len(w.View.Nodes) == 0 {
		return
	}
	id := rapid.SampledFrom(w.View.NodeIDs()).Draw(w.rt, "node")
	if rapid.Bool().Draw(w.rt, "group") {
		group := rapid.SampledFrom([]string{"", "blue"}).Draw(w.rt, "group")
		w.set(id, func(n *fsm.Node) { n.Settings.Group = group })
		return
	}
	to := rapid.SampledFrom([]fsm.Lifecycle{fsm.Commissioned, fsm.Maintenance, fsm.Decommissioned}).Draw(w.rt, "to")
	if f, err := fsm.Transition(w.View.Nodes[id], to, true); err == nil && f != nil {
		w.apply(0, fsm.Enrolment{Cluster: "orders", ID: 1, Base: w.View.Cluster.Index, Facts: []fsm.Fact{*f}})
	}
}

func (w *sky) operateDiscovery(id uint64) {
	d := *w.Discoveries[id]
	switch rapid.IntRange(0, 3).Draw(w.rt, "act") {
	case 0:
		w.remove(id)
		return
	case 1:
		if d.Held != nil {
			held := *d.Held
			held.Released = true
			d.Held = &held
		}
	default:
		d.Spec.Enabled = !d.Spec.Enabled
	}
	w.Discoveries[id] = &d
}

// remove deletes a discovery and applies it anew.
func (w *sky) remove(id uint64) {
	if w.View.Cluster == nil {
		return
	}
	d := *w.Discoveries[id]
	word := map[string]bool{}
	for node, n := range w.View.Nodes {
		word[node] = n.Word()
	}
	w.apply(id, fsm.Unlist(&w.Roll, id, clock(w.now)))
	for node, tracks := range w.tracks {
		if k := tracks[id]; k == nil || k.given {
			delete(tracks, id)
			continue
		}
		delete(tracks, id)
		others := slices.ContainsFunc([]uint64{1, 2, 3}, func(o uint64) bool { return tracks[o] != nil && !tracks[o].given })
		goes := !others && d.Spec.OnDelete == fsm.OnDeleteRemove && !word[node]
		if goes != (w.View.Nodes[node] == nil) {
			w.t.Fatalf("deleting d%d: %s goes %t", id, node, !goes)
		}
		if w.bare[node] = !others && !goes; goes {
			delete(w.tracks, node)
		}
	}
	d.Held = nil
	w.Discoveries[id] = &d
	w.check()
}

// TestMembership reads, nudges and operates at random, and compares what is enrolled with what the rules make of each
// source's readings alone.
func TestMembership(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newSky(rt)
		rt.Repeat(map[string]func(*rapid.T){
			"full": func(*rapid.T) { w.full() }, "full again": func(*rapid.T) { w.full() },
			"full once more": func(*rapid.T) { w.full() }, "nudge": func(*rapid.T) { w.nudge() },
			"duel": func(*rapid.T) { w.duel() }, "operate": func(*rapid.T) { w.operate() },
		})
	})
}
