package fsm_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/fsm"
)

// ownedBy is n nodes of cluster orders, n0000 and on.
func ownedBy(n int) []fsm.Owned {
	owned := make([]fsm.Owned, n)
	for i := range owned {
		owned[i].NodeRef = fsm.NodeRef{Cluster: "orders", Node: fmt.Sprintf("n%04d", i)}
	}
	return owned
}

// readAfter is the records of what is owned, without the first few.
func readAfter(owned []fsm.Owned, absent int) []fsm.Record {
	var read []fsm.Record
	for _, o := range owned[absent:] {
		read = append(read, fsm.Record{Cluster: o.Cluster, Node: o.Node})
	}
	return read
}

// source is a discovery with a limit and what it holds back.
func source(shrink fsm.Percent, held *fsm.Held) *fsm.Discovery {
	return &fsm.Discovery{ID: 1, Spec: setting(func(s *fsm.Spec) { s.MaxShrink = shrink }), Held: held}
}

func TestJudgeLimit(t *testing.T) {
	for _, c := range []struct {
		owned, absent int
		shrink        fsm.Percent
		hold          bool
	}{
		{0, 0, 30, false},
		{4, 3, 0, false}, // three may always vanish
		{5, 4, 0, true},
		{13, 3, 30, false}, // 3.9 rounded down
		{13, 4, 30, true},
		{14, 4, 30, false},
		{1000, 300, 30, false},
		{1000, 301, 30, true},
		{1000, 999, 100, false},
		{1, 1, 100, true}, // an empty list
		{1000, 1000, 100, true},
	} {
		owned := ownedBy(c.owned)
		v := fsm.Judge(owned, readAfter(owned, c.absent), source(c.shrink, nil), clock(0))
		if v.Hold != c.hold || (v.Held != nil) != c.hold {
			t.Errorf("%d of %d absent at %d%%: %+v", c.absent, c.owned, c.shrink, v)
			continue
		}
		if c.hold && (len(v.Held.Nodes) != c.absent || v.Held.Owned != c.owned || len(v.Held.Hash) != 32 ||
			v.Held.Since != clock(0) || v.Held.Released) {
			t.Errorf("%d of %d absent: held %+v", c.absent, c.owned, v.Held)
		}
	}
}

// TestJudgeKept checks that nodes which presence may not remove are owned but never among the absent.
func TestJudgeKept(t *testing.T) {
	owned := ownedBy(10)
	for i := range owned[:6] {
		owned[i].Kept = true
	}
	if v := fsm.Judge(owned, readAfter(owned, 9), source(30, nil), clock(0)); v.Hold {
		t.Errorf("three absent beside six kept: %+v", v)
	}
	v := fsm.Judge(owned, nil, source(30, nil), clock(0))
	if !v.Hold || len(v.Held.Nodes) != 4 || v.Held.Nodes[0].Node != "n0006" {
		t.Errorf("an empty list: %+v", v.Held)
	}
}

// TestJudgeOrder checks that a set is named alike in whatever order it is met, and no two sets are.
func TestJudgeOrder(t *testing.T) {
	a := []fsm.Owned{{NodeRef: fsm.NodeRef{Cluster: "x", Node: "1"}}, {NodeRef: fsm.NodeRef{Cluster: "x", Node: "2/x"}}}
	b := []fsm.Owned{a[1], a[0]}
	c := []fsm.Owned{a[0], {NodeRef: fsm.NodeRef{Cluster: "x", Node: "2"}}}
	d := source(30, nil)
	va, vb, vc := fsm.Judge(a, nil, d, clock(0)), fsm.Judge(b, nil, d, clock(0)), fsm.Judge(c, nil, d, clock(0))
	if diff := cmp.Diff(va, vb); diff != "" {
		t.Errorf("another order (-first +second):\n%s", diff)
	}
	if va.Held.Hash == vc.Held.Hash {
		t.Errorf("two sets are named %s", va.Held.Hash)
	}
}

// TestJudgeLife follows a hold from its first run to its end. Each line is one full read of ten owned nodes.
func TestJudgeLife(t *testing.T) {
	type line struct {
		absent   int
		released bool // an operator releases what is held before this read
		hold     bool
		since    int64 // second of Held.Since; -1: nothing is held
	}
	for name, lines := range map[string][]line{
		"an unchanged set keeps its since": {{5, false, true, 0}, {5, false, true, 0}, {5, false, true, 0}},
		"another set is held anew":         {{5, false, true, 0}, {6, false, true, 60}, {6, false, true, 60}, {5, false, true, 180}},
		"disproved":                        {{5, false, true, 0}, {3, false, false, -1}, {5, false, true, 120}},
		"repeats alone release nothing":    {{10, false, true, 0}, {10, false, true, 0}, {10, false, true, 0}},
		"released":                         {{5, false, true, 0}, {5, true, false, 0}, {5, false, false, 0}},
		"part of what was released":        {{6, false, true, 0}, {4, true, false, 0}, {6, false, false, 0}},
		"more than was released":           {{5, false, true, 0}, {6, true, true, 60}, {5, false, true, 120}},
		"a release ends when it fits":      {{5, false, true, 0}, {5, true, false, 0}, {2, false, false, -1}, {5, false, true, 180}},
		"an empty list released":           {{10, false, true, 0}, {10, true, false, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			owned, d := ownedBy(10), source(30, nil)
			for i, l := range lines {
				if l.released {
					held := *d.Held
					held.Released = true
					d.Held = &held
				}
				v := fsm.Judge(owned, readAfter(owned, l.absent), d, clock(int64(60*i)))
				since := int64(-1)
				if v.Held != nil {
					since = int64(v.Held.Since-clock(0)) / 1000
				}
				if v.Hold != l.hold || since != l.since {
					t.Fatalf("read %d: hold %t since %d; want %t since %d", i, v.Hold, since, l.hold, l.since)
				}
				if v.Hold && v.Held.Released {
					t.Fatalf("read %d is held by a released set", i)
				}
				d.Held = v.Held
			}
		})
	}
}

// TestJudgeAfterRemoval lets a released set go: once its nodes are no longer owned, nothing of it is left.
func TestJudgeAfterRemoval(t *testing.T) {
	owned := ownedBy(10)
	held := fsm.Judge(owned, readAfter(owned, 8), source(30, nil), clock(0)).Held
	held.Released = true
	if v := fsm.Judge(owned[8:], readAfter(owned, 8), source(30, held), clock(60)); v.Hold || v.Held != nil {
		t.Fatalf("%+v", v)
	}
}

// TestJudgeLargeSet holds a set that is too large for its names to fit an entry: it is counted and hashed whole, and once
// released only exactly itself passes.
func TestJudgeLargeSet(t *testing.T) {
	owned := make([]fsm.Owned, 30_000)
	for i := range owned {
		owned[i].NodeRef = fsm.NodeRef{Cluster: "c", Node: fmt.Sprintf("node-%05d-with-a-name-of-a-usual-length", i)}
	}
	d := &fsm.Discovery{Spec: spec()}
	v := fsm.Judge(owned, nil, d, 1)
	if !v.Hold || v.Held.Count != len(owned) || len(v.Held.Nodes) != 5000 {
		t.Fatalf("hold %v of %d, %d named", v.Hold, v.Held.Count, len(v.Held.Nodes))
	}
	if size := len(fsm.Frame(&fsm.RunComplete{Outcome: &fsm.RunOutcome{Held: v.Held}})); size > 400<<10 {
		t.Fatalf("its outcome takes %d bytes of an entry", size)
	}
	d.Held = v.Held
	d.Held.Released = true
	if v := fsm.Judge(owned, nil, d, 2); v.Hold {
		t.Fatal("the released set is held again")
	}
	back := []fsm.Record{{Cluster: "c", Node: owned[9].Node}}
	if v := fsm.Judge(owned, back, d, 2); !v.Hold {
		t.Fatal("another set passes")
	}
}
