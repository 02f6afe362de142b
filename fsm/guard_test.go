package fsm_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/musterhq/muster/fsm"
)

// flock is a log with a cluster c of commissioned nodes that are up, on which these guards are set.
func flock(t *testing.T, guards []fsm.Guard, nodes ...string) *log {
	t.Helper()
	l := newLog(t)
	c := l.cluster(l.discovery("d"), "c", nodes...)
	reports := make([]fsm.Report, len(nodes))
	for i, id := range nodes {
		reports[i] = up(id)
	}
	l.ok(l.round(l.claim(fsm.KindRefresh, c.ID, fsm.WhyDue), reports...))
	if guards != nil {
		l.set("", fsm.Settable{Guards: guards})
	}
	return l
}

// set sets something on cluster c, or on one of its nodes.
func (l *log) set(node string, to fsm.Settable) {
	l.t.Helper()
	c := l.state.Read().Cluster("c")
	f := fsm.Fact{
		Type: fsm.ClusterSettingsChanged, Before: &fsm.SettingsPart{Settable: c.Settings}, After: &fsm.SettingsPart{Settable: to},
	}
	if node != "" {
		f.Type, f.Node = fsm.NodeSettingsChanged, node
		f.Before = &fsm.SettingsPart{Settable: l.state.Read().Node(c.ID, node).Settings}
	}
	l.ok(&fsm.ClusterChange{Cause: operator, Changes: []fsm.Change{{Cluster: c.ID, Base: c.Index, Facts: []fsm.Fact{f}}}})
}

// globals sets something on the whole group, and source on a discovery.
func (l *log) globals(to fsm.Settable) {
	s := fsm.DefaultSettings()
	s.Settable = to
	l.ok(&fsm.SettingsSet{Settings: s, Cause: operator})
}

func (l *log) source(name string, to fsm.Settable) {
	l.ok(&fsm.DiscoveryApply{Name: name, Spec: setting(func(s *fsm.Spec) { s.Settable = to }), Cause: operator})
}

// refusals is why the guards hold back the move of nodes of cluster c, after something was done to its view.
func (l *log) refusals(was func(*fsm.View), to fsm.Lifecycle, nodes ...string) map[string]string {
	l.t.Helper()
	r := l.state.Read()
	before := r.View(r.Cluster("c").ID)
	if was != nil {
		was(before)
	}
	after := before.Clone()
	for _, id := range nodes {
		f, err := fsm.Transition(after.Nodes[id], to, true)
		if err != nil {
			l.t.Fatalf("%s: %v", id, err)
		}
		if err := fsm.Fold(after, *f); err != nil {
			l.t.Fatal(err)
		}
	}
	return r.Guarded(before, after, nodes)
}

// holds checks which nodes the guards hold back.
func (l *log) holds(was func(*fsm.View), to fsm.Lifecycle, nodes, want []string) {
	l.t.Helper()
	got := l.refusals(was, to, nodes...)
	if want == nil && got != nil || !slices.Equal(want, sorted(got)) {
		l.t.Errorf("moving %q to %s is refused for %q, want %q", nodes, to, got, want)
	}
}

func sorted(m map[string]string) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// node changes a copy of a view's node.
func node(v *fsm.View, id string, change func(*fsm.Node)) {
	n := *v.Nodes[id]
	change(&n)
	v.Nodes[id] = &n
}

func in(to fsm.Lifecycle, ids ...string) func(*fsm.View) {
	return func(v *fsm.View) {
		for _, id := range ids {
			node(v, id, func(n *fsm.Node) { n.Lifecycle = to })
		}
	}
}

func cutOff(ids ...string) func(*fsm.View) {
	return func(v *fsm.View) {
		for _, id := range ids {
			node(v, id, func(n *fsm.Node) { n.Reach.Value = fsm.NotReachable })
		}
	}
}

// TestGuardHolds checks that a move is refused when it leaves less than is wanted, and only when it makes that worse; and that
// every node of it is then named.
func TestGuardHolds(t *testing.T) {
	commissioned, well, maintenance := fsm.Guard{MinCommissioned: 3}, fsm.Guard{MinWell: 3}, fsm.Guard{MaxMaintenance: 2}
	for name, test := range map[string]struct {
		guard fsm.Guard
		was   func(*fsm.View)
		to    fsm.Lifecycle
		nodes string
		want  string
	}{
		"as many as wanted stay":          {commissioned, nil, fsm.Maintenance, "a b", ""},
		"one too few stays":               {commissioned, nil, fsm.Maintenance, "a b c", "a b c"},
		"decommissioned are gone too":     {commissioned, nil, fsm.Decommissioned, "a b c", "a b c"},
		"too few already":                 {commissioned, in(fsm.Maintenance, "a", "b", "c"), fsm.Decommissioned, "d", "d"},
		"too few already, and no worse":   {commissioned, in(fsm.Maintenance, "a", "b", "c"), fsm.Decommissioned, "a", ""},
		"too few already, and better":     {commissioned, in(fsm.Maintenance, "a", "b", "c", "d"), fsm.Commissioned, "a", ""},
		"too few already, and forgotten":  {commissioned, in(fsm.Decommissioned, "a", "b", "c"), fsm.Forgotten, "a b", ""},
		"the well are counted apart":      {commissioned, cutOff("a", "b", "c"), fsm.Maintenance, "d e", ""},
		"as many well stay":               {well, cutOff("a"), fsm.Maintenance, "b", ""},
		"too few well stay":               {well, cutOff("a", "b"), fsm.Maintenance, "c", "c"},
		"one that is not well may go":     {well, cutOff("a", "b", "c"), fsm.Decommissioned, "a b", ""},
		"with it goes one that is":        {well, cutOff("a", "b", "c"), fsm.Decommissioned, "a d", "a d"},
		"back from maintenance":           {well, in(fsm.Maintenance, "a", "b", "c", "d"), fsm.Commissioned, "a", ""},
		"as many in maintenance":          {maintenance, in(fsm.Maintenance, "a"), fsm.Maintenance, "b", ""},
		"one too many in maintenance":     {maintenance, in(fsm.Maintenance, "a"), fsm.Maintenance, "b c", "b c"},
		"too many already":                {maintenance, in(fsm.Maintenance, "a", "b", "c"), fsm.Maintenance, "d", "d"},
		"too many already, and fewer":     {maintenance, in(fsm.Maintenance, "a", "b", "c", "d"), fsm.Commissioned, "a", ""},
		"too many already, and others go": {maintenance, in(fsm.Maintenance, "a", "b", "c"), fsm.Decommissioned, "d e", ""},
		"none may be in maintenance but other words are free": {
			fsm.Guard{MinCommissioned: 1, MaxMaintenance: 1}, in(fsm.Maintenance, "a"), fsm.Decommissioned, "b", "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := flock(t, []fsm.Guard{test.guard}, "a", "b", "c", "d", "e")
			l.holds(test.was, test.to, strings.Fields(test.nodes), strings.Fields(test.want))
		})
	}
}

// TestGuardCountsWell checks what a node must be to count as well: each word alone keeps it from it.
func TestGuardCountsWell(t *testing.T) {
	l := flock(t, []fsm.Guard{{MinWell: 2}}, "a", "b", "c")
	l.holds(nil, fsm.Maintenance, []string{"b"}, nil)
	for name, change := range map[string]func(*fsm.Node){
		"missing":        func(n *fsm.Node) { n.Presence = fsm.Missing },
		"unreachable":    func(n *fsm.Node) { n.Reach.Value = fsm.NotReachable },
		"never asked":    func(n *fsm.Node) { n.Reach.Value = "" },
		"down":           func(n *fsm.Node) { n.State.Value = fsm.StateDown },
		"joining":        func(n *fsm.Node) { n.State.Value = fsm.StateJoining },
		"unknown":        func(n *fsm.Node) { n.State.Value = fsm.StateUnknown },
		"another":        func(n *fsm.Node) { n.Said.Identity.Mismatch = true },
		"discovered":     func(n *fsm.Node) { n.Lifecycle = fsm.Discovered },
		"in maintenance": func(n *fsm.Node) { n.Lifecycle = fsm.Maintenance },
		"decommissioned": func(n *fsm.Node) { n.Lifecycle = fsm.Decommissioned },
	} {
		t.Run(name, func(t *testing.T) {
			l.t = t
			l.holds(func(v *fsm.View) { node(v, "a", change) }, fsm.Maintenance, []string{"b"}, []string{"b"})
		})
	}
}

// TestGuardOfGroup checks that a group's guard counts, and names, the nodes that are in the group by what holds for each:
// the nearest of node, cluster, the discovery that lists it, globals.
func TestGuardOfGroup(t *testing.T) {
	group := func(name string) fsm.Settable { return fsm.Settable{Group: name} }
	for name, test := range map[string]struct {
		set  func(*log)
		want string // of a, b, c and x, which another discovery lists; all but one must stay of group g
	}{
		"nowhere":         {func(*log) {}, ""},
		"globals":         {func(l *log) { l.globals(group("g")) }, "a b c x"},
		"another one":     {func(l *log) { l.globals(group("h")) }, ""},
		"its discovery":   {func(l *log) { l.source("d", group("g")) }, "a b c"},
		"the other's":     {func(l *log) { l.globals(group("g")); l.source("e", group("h")) }, "a b c"},
		"the cluster":     {func(l *log) { l.source("d", group("h")); l.setGroup("", "g") }, "a b c x"},
		"over the source": {func(l *log) { l.source("d", group("g")); l.setGroup("", "h") }, ""},
		"two nodes":       {func(l *log) { l.setGroup("", "h"); l.setGroup("a", "g"); l.setGroup("x", "g") }, "a x"},
		"all but a node":  {func(l *log) { l.setGroup("", "g"); l.setGroup("b", "h") }, "a c x"},
	} {
		t.Run(name, func(t *testing.T) {
			l := flock(t, nil, "a", "b", "c")
			l.enrol(l.discovery("e"), "c", "x")
			want := strings.Fields(test.want)
			least := max(len(want)-1, 1)
			l.set("", fsm.Settable{Guards: []fsm.Guard{{Group: "g", MinCommissioned: least}}})
			test.set(l)
			l.holds(nil, fsm.Maintenance, []string{"a", "b", "c", "x"}, want)
			if len(want) > 1 {
				l.holds(nil, fsm.Maintenance, want[:1], nil)
				l.holds(nil, fsm.Maintenance, want[:2], want[:2])
			}
		})
	}
}

// setGroup sets the group of cluster c, which keeps its guards, or of one of its nodes.
func (l *log) setGroup(node, group string) {
	l.t.Helper()
	to := fsm.Settable{Group: group}
	if node == "" {
		to.Guards = l.state.Read().Cluster("c").Settings.Guards
	}
	l.set(node, to)
}

// enrol lists more nodes of a cluster by another discovery.
func (l *log) enrol(d *fsm.Discovery, cluster string, nodes ...string) {
	l.t.Helper()
	claim := l.claim(fsm.KindRun, d.ID, fsm.WhyAsked)
	l.ok(&fsm.RunComplete{
		Discovery: d.ID, Settings: d.Settings, Token: claim.Token,
		Enrolments: []fsm.Enrolment{l.enrolment(d, cluster, nodes...)}, Outcome: &fsm.RunOutcome{Changed: true},
	})
}

// TestNearerGuardsReplace checks that guards are not laid over each other: the nearest list is the only one.
func TestNearerGuardsReplace(t *testing.T) {
	l := flock(t, nil, "a", "b", "c")
	least := func(n int) fsm.Settable { return fsm.Settable{Guards: []fsm.Guard{{MinCommissioned: n}}} }
	one := []string{"a"}
	l.holds(nil, fsm.Maintenance, one, nil)
	l.globals(least(3))
	l.holds(nil, fsm.Maintenance, one, one)
	l.source("d", least(2))
	l.holds(nil, fsm.Maintenance, one, nil)
	l.set("", least(3))
	l.holds(nil, fsm.Maintenance, one, one)
	l.set("", fsm.Settable{Guards: []fsm.Guard{{MaxMaintenance: 3}}})
	l.holds(nil, fsm.Maintenance, []string{"a", "b", "c"}, nil)
	l.set("", fsm.Settable{Group: "g"})
	l.holds(nil, fsm.Maintenance, []string{"a", "b"}, []string{"a", "b"})
	l.source("d", fsm.Settable{})
	l.holds(nil, fsm.Maintenance, one, one)
}

// TestGuardsAddUp checks that each guard of a list is judged.
func TestGuardsAddUp(t *testing.T) {
	l := flock(t, []fsm.Guard{{MaxMaintenance: 2}, {Group: "g", MinCommissioned: 1}}, "a", "b", "c", "d")
	l.set("a", fsm.Settable{Group: "g"})
	l.holds(nil, fsm.Maintenance, []string{"b", "c"}, nil)
	l.holds(nil, fsm.Maintenance, []string{"a", "b"}, []string{"a"})
	l.holds(nil, fsm.Maintenance, []string{"b", "c", "d"}, []string{"b", "c", "d"})
	l.holds(nil, fsm.Maintenance, []string{"a", "b", "c"}, []string{"a", "b", "c"})
}

// TestGuardSaysWhy checks that a refusal names the group, all that would not hold, and the way past it.
func TestGuardSaysWhy(t *testing.T) {
	l := flock(t, []fsm.Guard{{Group: "g", MinCommissioned: 3, MinWell: 2, MaxMaintenance: 1}}, "a", "b", "c")
	l.setGroup("", "g")
	for id, why := range l.refusals(nil, fsm.Maintenance, "a", "b") {
		for _, part := range []string{`group "g"`, "at least 3 commissioned", "at least 2 well", "at most 1 in maintenance", "force"} {
			if !strings.Contains(why, part) {
				t.Errorf("%s is refused with %q, which lacks %q", id, why, part)
			}
		}
	}
}
