package fsm_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/musterhq/muster/fsm"
)

// lifecycleStep is one line of the table below: which fact a change of lifecycle makes, and when it needs force.
type lifecycleStep struct {
	from, to    fsm.Lifecycle
	event       fsm.EventType
	forceIf     fsm.Presence // needs force at this presence; empty: never
	sourceless  bool         // only for a node that no source lists
	freeIfAlone bool         // a node that no source lists never needs force
}

// lifecycleSteps is every change of lifecycle there is. Whatever it does not hold is a conflict, with or without force.
var lifecycleSteps = []lifecycleStep{
	{from: fsm.Discovered, to: fsm.Commissioned, event: fsm.NodeCommissioned, forceIf: fsm.Missing},
	{from: fsm.Discovered, to: fsm.Decommissioned, event: fsm.NodeDecommissioned},
	{from: fsm.Discovered, to: fsm.Forgotten, event: fsm.NodeForgotten, sourceless: true},
	{from: fsm.Commissioned, to: fsm.Maintenance, event: fsm.NodeMaintenance},
	{from: fsm.Commissioned, to: fsm.Decommissioned, event: fsm.NodeDecommissioned},
	{from: fsm.Commissioned, to: fsm.Forgotten, event: fsm.NodeForgotten, sourceless: true},
	{from: fsm.Maintenance, to: fsm.Commissioned, event: fsm.NodeResumed},
	{from: fsm.Maintenance, to: fsm.Decommissioned, event: fsm.NodeDecommissioned},
	{from: fsm.Maintenance, to: fsm.Forgotten, event: fsm.NodeForgotten, sourceless: true},
	{from: fsm.Decommissioned, to: fsm.Commissioned, event: fsm.NodeCommissioned, forceIf: fsm.Missing},
	{from: fsm.Decommissioned, to: fsm.Forgotten, event: fsm.NodeForgotten, forceIf: fsm.Present, freeIfAlone: true},
}

// expectedEvent is the event of a change, or empty where it is a conflict.
func expectedEvent(from, to fsm.Lifecycle, presence fsm.Presence, force, sourceless bool) fsm.EventType {
	for _, s := range lifecycleSteps {
		if s.from != from || s.to != to || s.sourceless && !sourceless {
			continue
		}
		if s.forceIf == presence && !force && !(s.freeIfAlone && sourceless) {
			return ""
		}
		return s.event
	}
	return ""
}

// TestTransition tries every change from every lifecycle, presence and listing, with and without force.
func TestTransition(t *testing.T) {
	states := []fsm.Lifecycle{fsm.Discovered, fsm.Commissioned, fsm.Maintenance, fsm.Decommissioned}
	sources := [][]string{{"consul"}, nil}
	for _, from := range states {
		for _, to := range append(states, fsm.Forgotten, "retired", "") {
			for _, presence := range []fsm.Presence{fsm.Present, fsm.Missing} {
				for _, force := range []bool{false, true} {
					for _, listed := range sources {
						name := fmt.Sprintf("%s to %s, %s, force %t, sources %v", from, to, presence, force, listed)
						t.Run(name, func(t *testing.T) {
							n := &fsm.Node{ID: "a", Sources: listed, Presence: presence, Lifecycle: from}
							tryTransition(t, n, to, force)
						})
					}
				}
			}
		}
	}
}

func tryTransition(t *testing.T, n *fsm.Node, to fsm.Lifecycle, force bool) {
	f, err := fsm.Transition(n, to, force)
	if n.Lifecycle == to {
		if f != nil || err != nil {
			t.Fatalf("a node already there gave %v, %v", f, err)
		}
		return
	}
	want := expectedEvent(n.Lifecycle, to, n.Presence, force, len(n.Sources) == 0)
	if want == "" {
		if f != nil || !errors.Is(err, fsm.ErrConflict) {
			t.Fatalf("gave %v, %v; want a conflict", f, err)
		}
		return
	}
	if err != nil || f == nil || f.Type != want {
		t.Fatalf("gave %v, %v; want %s", f, err, want)
	}
	v := &fsm.View{Cluster: &fsm.Cluster{}, Nodes: map[string]*fsm.Node{n.ID: n}}
	before := v.Clone()
	if err := fsm.Fold(v, *f); err != nil {
		t.Fatal(err)
	}
	switch after := v.Nodes[n.ID]; {
	case to == fsm.Forgotten:
		if after != nil {
			t.Fatalf("the node is still there: %+v", after)
		}
	case after.Lifecycle != to:
		t.Fatalf("the node became %s", after.Lifecycle)
	}
	if err := fsm.Unfold(v, *f); err != nil {
		t.Fatal(err)
	}
	// A node that never answered comes back with its state's word, unknown, which the node made here leaves out.
	if diff := cmp.Diff(before, v, cmpopts.IgnoreFields(fsm.Node{}, "State")); diff != "" {
		t.Fatalf("unfolding left (-want +got):\n%s", diff)
	}
}
