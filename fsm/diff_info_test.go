package fsm_test

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/fsm"
)

func attributed(attributes map[string]string) fsm.Report {
	return with(up("a"), func(r *fsm.Report) { r.Attributes = attributes })
}

type attrs = map[string]string

// TestInfoChanged checks that each part of what runs on a node makes a fact when it changes.
func TestInfoChanged(t *testing.T) {
	for name, change := range map[string]func(*fsm.Report){
		"kind":    func(r *fsm.Report) { r.Kind = "valkey" },
		"version": func(r *fsm.Report) { r.Version = "8.0" },
		"sidecar": func(r *fsm.Report) { r.SidecarVersion = "0.2" },
		"value":   func(r *fsm.Report) { r.Attributes = attrs{"zone": "y"} },
		"added":   func(r *fsm.Report) { r.Attributes = attrs{"zone": "z", "rack": "1"} },
		"removed": func(r *fsm.Report) { r.Attributes = nil },
	} {
		t.Run(name, func(t *testing.T) {
			s := begin(t, "a").full(attributed(attrs{"zone": "z"}))
			rep := with(attributed(attrs{"zone": "z"}), change)
			s.full(rep)
			want := &fsm.SoftwarePart{
				Kind: rep.Kind, Version: rep.Version, SidecarVersion: rep.SidecarVersion, Attributes: rep.Attributes,
			}
			if diff := cmp.Diff(want, after[*fsm.SoftwarePart](s, fsm.NodeInfoChanged)); diff != "" {
				t.Fatalf("after (-want +got):\n%s", diff)
			}
			s.full(rep).tells()
		})
	}
}

// TestUnsaidVersion checks that a store which is not up and does not say what it is takes nothing back, and that what it
// does say counts.
func TestUnsaidVersion(t *testing.T) {
	starting := with(up("a", "0:replica"), func(r *fsm.Report) { r.State, r.Kind, r.Version = fsm.StateJoining, "", "" })
	s := begin(t, "a").full(up("a", "0:replica"))
	said := s.view.Nodes["a"].Said
	s.full(starting).tells("node.joining a", "cluster.health_changed")
	if diff := cmp.Diff(said, s.view.Nodes["a"].Said); diff != "" {
		t.Errorf("what it said (-before +after):\n%s", diff)
	}
	s.full(with(starting, func(r *fsm.Report) { r.Version = "9.9" })).tells("node.info_changed a", "cluster.versions_uniform")
}

func churn(attribute string, rounds int) *fsm.Notes {
	return &fsm.Notes{Churn: []fsm.Churn{{Node: "a", Attribute: attribute, Rounds: rounds}}}
}

// TestAttributeMuted follows an attribute that changes all the time beside one that stays.
func TestAttributeMuted(t *testing.T) {
	s := begin(t, "a")
	clock := func(n int) fsm.Report { return attributed(attrs{"clock": strconv.Itoa(n), "zone": "z"}) }
	s.full(clock(0)).noted(nil)
	for n := 1; n <= 4; n++ {
		s.full(clock(n)).tells("node.info_changed a").noted(churn("clock", n))
	}
	s.full(clock(5)).tells("node.attribute_muted a").noted(nil)
	if diff := cmp.Diff([]string{"clock"}, after[*fsm.MutedPart](s, fsm.NodeAttributeMuted).Muted); diff != "" {
		t.Fatal(diff)
	}
	s.full(clock(6)).tells()
	s.full(attributed(attrs{"zone": "z"})).tells() // nor is it missed
	s.full(attributed(attrs{"clock": "7", "zone": "y"})).tells("node.info_changed a").noted(churn("zone", 1))
	if diff := cmp.Diff(attrs{"clock": "4", "zone": "y"}, s.view.Nodes["a"].Said.Attributes); diff != "" {
		t.Fatalf("attributes (-want +got):\n%s", diff)
	}
}

// TestChurnRow checks what ends the row of changes and what leaves it.
func TestChurnRow(t *testing.T) {
	s := begin(t, "a", "b")
	rep := func(n int) fsm.Report { return attributed(attrs{"n": strconv.Itoa(n)}) }
	s.full(rep(0), up("b"))
	s.full(rep(1), up("b")).full(rep(2), up("b")).noted(churn("n", 2))
	s.confirm("o", up("b")).noted(churn("n", 2)) // not asked
	s.confirm("o", rep(2)).noted(churn("n", 2))  // a confirming round comes too soon to end it
	s.confirm("o", rep(3)).tells("node.info_changed a").noted(churn("n", 3))
	s.confirm("o", attributed(attrs{"n": "3", "z": "1"})).tells("node.info_changed a")
	s.noted(&fsm.Notes{Churn: []fsm.Churn{
		{Node: "a", Attribute: "n", Rounds: 3}, {Node: "a", Attribute: "z", Rounds: 1},
	}})
	failed := failure("a", 1, s.now, "p")
	failed.Churn = s.notes.Churn
	s.full(refused("a"), up("b")).noted(failed) // not heard
	s.full(attributed(attrs{"n": "3", "z": "2"}), up("b")).noted(churn("z", 2))
	s.full(attributed(attrs{"n": "3", "z": "2"}), up("b")).noted(nil)
}

// TestChurnOfMany changes many attributes in a full and a confirming round: each has one note.
func TestChurnOfMany(t *testing.T) {
	s := begin(t, "a")
	want := &fsm.Notes{}
	rep := func(n int) fsm.Report {
		says := attrs{}
		for k := range 40 {
			says[fmt.Sprintf("%02d", k)] = strconv.Itoa(n)
		}
		return attributed(says)
	}
	for k := range 40 {
		want.Churn = append(want.Churn, fsm.Churn{Node: "a", Attribute: fmt.Sprintf("%02d", k), Rounds: 2})
	}
	s.full(rep(0)).full(rep(1)).confirm("o", rep(2)).noted(want)
}

// TestMutedWhileAbsent follows an attribute that comes and goes, and is muted when it is away.
func TestMutedWhileAbsent(t *testing.T) {
	s := begin(t, "a").full(attributed(attrs{"zone": "z"}))
	flicker := []fsm.Report{attributed(attrs{"blip": "1", "zone": "z"}), attributed(attrs{"zone": "z"})}
	for n := range 4 {
		s.full(flicker[n%2]).tells("node.info_changed a")
	}
	s.full(flicker[0]).tells("node.attribute_muted a").full(flicker[1]).tells().full(flicker[0]).tells()
	s.full(attributed(attrs{"blip": "1", "zone": "y"})).tells("node.info_changed a")
	if diff := cmp.Diff(attrs{"zone": "y"}, s.view.Nodes["a"].Said.Attributes); diff != "" {
		t.Fatalf("attributes (-want +got):\n%s", diff)
	}
}

// TestMutedIsBounded lets a node mute one set of attributes after the other.
func TestMutedIsBounded(t *testing.T) {
	s := begin(t, "a")
	for set := range 8 {
		for n := range 7 {
			says := attrs{}
			for k := range fsm.MaxAttributes {
				says[fmt.Sprintf("%d-%d", set, k)] = strconv.Itoa(n)
			}
			s.full(attributed(says))
		}
	}
	n := s.view.Nodes["a"]
	if len(n.Muted) != fsm.MaxAttributes || len(n.Said.Attributes) != fsm.MaxAttributes {
		t.Fatalf("%d muted, %d kept; want %d of the last set", len(n.Muted), len(n.Said.Attributes), fsm.MaxAttributes)
	}
}
