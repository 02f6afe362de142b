package fsm_test

import (
	"testing"

	"github.com/musterhq/muster/fsm"
)

// TestRefusedFacts checks that facts no view can hold or give back are refused, without a panic and without a trace.
func TestRefusedFacts(t *testing.T) {
	l := newLog(t)
	c := l.cluster(l.discovery("d"), "c", "a", "b")
	v := l.state.Read().View(c.ID)
	health := &fsm.HealthPart{Health: c.Health, Reasons: c.Reasons}
	whole := &fsm.ClusterPart{Health: c.Health, Reasons: c.Reasons}
	state := &fsm.StatePart{State: fsm.StateUnknown}
	node := func(id string) *fsm.NodePart {
		n := v.Nodes[id]
		return &fsm.NodePart{Endpoint: n.Endpoint, Sources: n.Sources, Presence: n.Presence, Lifecycle: n.Lifecycle}
	}
	for name, facts := range map[string][]fsm.Fact{
		"node fact without a node": {{Type: fsm.NodeReachable}},
		"new node without an id":   {{Type: fsm.NodeDiscovered, After: node("a")}},
		"cluster fact of a node": {{
			Type: fsm.ClusterHealthChanged, Node: "a", Before: health,
			After: &fsm.HealthPart{Health: "down"},
		}},
		"cluster of a node":          {{Type: fsm.ClusterRemoved, Node: "a", Before: whole}},
		"reach taken away":           {{Type: fsm.NodeReachable, Node: "a", Before: &fsm.ReachPart{}}},
		"state taken away":           {{Type: fsm.NodeUp, Node: "a", Before: state}},
		"health taken away":          {{Type: fsm.ClusterHealthChanged, Before: health}},
		"lag of a shard not held":    {{Type: fsm.ShardLagHigh, Node: "a", Shard: "0", After: &fsm.LagPart{High: &fsm.High{LagMS: 1}}}},
		"shard removed but not held": {{Type: fsm.ShardRemoved, Node: "a", Shard: "0"}},
		"health as it is":            {{Type: fsm.ClusterHealthChanged, Before: health, After: health}},
		"first answer half told": {{
			Type: fsm.NodeUp, Node: "a",
			Before: &fsm.StatePart{State: fsm.StateUnknown, Said: &fsm.Said{}}, After: &fsm.StatePart{State: fsm.StateUp, Since: 1},
		}},
		"unknown state told as one": {{
			Type: fsm.NodeDiscovered, Node: "z",
			After: &fsm.NodePart{Presence: fsm.Present, State: fsm.Axis{Value: fsm.StateUnknown}},
		}},
		"empty patch": {{
			Type: fsm.ClusterSettingsChanged, Before: &fsm.SettingsPart{},
			After: &fsm.SettingsPart{Settable: fsm.Settable{Group: "g"}, Refresh: &fsm.RefreshPatch{}},
		}},
		"no fact of a view":        {{Type: fsm.OperatorActed, After: &fsm.ActionPart{Action: "x"}}},
		"cluster discovered twice": {{Type: fsm.ClusterDiscovered, After: &fsm.ClusterPart{}}},
	} {
		t.Run(name, func(t *testing.T) {
			l.t = t
			l.refused(&fsm.ClusterChange{Changes: []fsm.Change{{Cluster: c.ID, Base: c.Index, Facts: facts}}}, fsm.CodeStale)
			after := l.state.Read().View(c.ID)
			for _, f := range facts {
				if err := fsm.Fold(after, f); err == nil {
					t.Fatal("the fact folds")
				}
			}
			if picture(v) != picture(after) {
				t.Fatal("a refused fact changed the view")
			}
		})
	}
}

// TestShardStaysWithItsLag checks that a shard whose lag is told high is removed only after that has been told off: unfolding
// could not give its lag back.
func TestShardStaysWithItsLag(t *testing.T) {
	l := newLog(t)
	c := l.cluster(l.discovery("d"), "c", "a")
	late := int64(60_000)
	l.ok(l.round(l.claim(fsm.KindRefresh, c.ID, fsm.WhyDue), with(up("a", "0:replica"), func(r *fsm.Report) { r.Shards[0].LagMS = &late })))
	n := l.state.Read().Node(c.ID, "a")
	s := n.Shard("0")
	removed := fsm.Fact{Type: fsm.ShardRemoved, Node: "a", Shard: "0", Before: &fsm.ShardPart{Role: s.Role, LagMS: s.LagMS}}
	lagOK := fsm.Fact{Type: fsm.ShardLagOK, Node: "a", Shard: "0", Before: &fsm.LagPart{High: s.High}, After: &fsm.LagPart{}}
	change := fsm.Change{Cluster: c.ID, Base: n.Index, Facts: []fsm.Fact{removed}}
	l.refused(&fsm.ClusterChange{Changes: []fsm.Change{change}}, fsm.CodeStale)
	change.Facts = []fsm.Fact{lagOK, removed}
	l.ok(&fsm.ClusterChange{Changes: []fsm.Change{change}})
}

// TestNodeGoesWhole checks that a node's removal carries all of it, also what was told before a first answer.
func TestNodeGoesWhole(t *testing.T) {
	v := &fsm.View{Cluster: &fsm.Cluster{}, Nodes: map[string]*fsm.Node{}}
	discovered := fsm.NodePart{Sources: []string{"s"}, Presence: fsm.Present, Lifecycle: fsm.Commissioned}
	gone := discovered
	gone.Said = &fsm.Said{Kind: "redis"}
	facts := []fsm.Fact{
		{Type: fsm.NodeDiscovered, Node: "a", After: &discovered},
		{Type: fsm.NodeInfoChanged, Node: "a", Before: &fsm.SoftwarePart{}, After: &fsm.SoftwarePart{Kind: "redis"}},
		{Type: fsm.NodeRemoved, Node: "a", Before: &gone},
	}
	if err := fsm.FoldAll(v, facts); err != nil {
		t.Fatal(err)
	}
	if err := fsm.Unfold(v, facts[2]); err != nil || v.Nodes["a"].Said.Kind != "redis" {
		t.Fatalf("unfolding the removal (%v) gives %+v", err, v.Nodes["a"])
	}
}

// TestRefusedChanges checks that clusters come whole, go empty, and are changed once in a command.
func TestRefusedChanges(t *testing.T) {
	l := newLog(t)
	c := l.cluster(l.discovery("d"), "c", "a", "b")
	gone := fsm.Fact{Type: fsm.ClusterRemoved, Before: &fsm.ClusterPart{Health: c.Health, Reasons: c.Reasons}}
	come := fsm.Fact{Type: fsm.ClusterDiscovered, After: &fsm.ClusterPart{}}
	set := func(group string) fsm.Change {
		return fsm.Change{Cluster: c.ID, Base: c.Index, Facts: []fsm.Fact{{
			Type: fsm.ClusterSettingsChanged, Before: &fsm.SettingsPart{}, After: &fsm.SettingsPart{Settable: fsm.Settable{Group: group}},
		}}}
	}
	for name, test := range map[string]struct {
		changes []fsm.Change
		code    fsm.Code
	}{
		"removed with its nodes":   {[]fsm.Change{{Cluster: c.ID, Base: c.Index, Facts: []fsm.Fact{gone}}}, fsm.CodeInvalid},
		"comes and goes":           {[]fsm.Change{{Name: "x", Facts: []fsm.Fact{come, come.Reverse()}}}, fsm.CodeInvalid},
		"new without itself":       {[]fsm.Change{{Name: "x", Facts: []fsm.Fact{{Type: fsm.NodeDiscovered, Node: "a", After: &fsm.NodePart{}}}}}, fsm.CodeStale},
		"changed twice":            {[]fsm.Change{set("g"), set("h")}, fsm.CodeInvalid},
		"new twice":                {[]fsm.Change{{Name: "x", Facts: []fsm.Fact{come}}, {Name: "x", Facts: []fsm.Fact{come}}}, fsm.CodeInvalid},
		"new under a name in use":  {[]fsm.Change{{Name: "c", Facts: []fsm.Fact{come}}}, fsm.CodeStale},
		"of a cluster not there":   {[]fsm.Change{{Cluster: 99, Facts: []fsm.Fact{come}}}, fsm.CodeStale},
		"one good and one stale":   {[]fsm.Change{{Name: "x", Facts: []fsm.Fact{come}}, {Cluster: c.ID, Base: c.Index - 1}}, fsm.CodeStale},
		"on a base yet to come":    {[]fsm.Change{{Cluster: c.ID, Base: c.Index + 1}}, fsm.CodeStale},
		"on a base that has moved": {[]fsm.Change{{Cluster: c.ID, Base: c.Index - 1, Facts: set("g").Facts}}, fsm.CodeStale},
	} {
		t.Run(name, func(t *testing.T) {
			l.t = t
			l.refused(&fsm.ClusterChange{Changes: test.changes, Cause: operator}, test.code)
		})
	}
	l.t = t
	for _, changes := range [][]fsm.Change{nil, {{Cluster: c.ID, Base: c.Index}}, {{Name: "x"}}} {
		before := l.state.Read()
		l.ok(&fsm.ClusterChange{Changes: changes, Cause: operator})
		if r := l.state.Read(); r.ClusterByID(c.ID) != before.ClusterByID(c.ID) || r.Meta().Seq != before.Meta().Seq || r.Cluster("x") != nil {
			t.Errorf("%+v changed something", changes)
		}
	}
}

// TestStaleNamesVersion checks that a refusal tells the version to wait for.
func TestStaleNamesVersion(t *testing.T) {
	l := newLog(t)
	c := l.cluster(l.discovery("d"), "c", "a")
	claim := l.claim(fsm.KindRefresh, c.ID, fsm.WhyDue)
	round := l.round(claim, up("a"))
	round.Base--
	if at := l.refused(round, fsm.CodeStale).Error.Fields["index"]; at != itoa(c.Index) {
		t.Errorf("the refusal names version %s, the cluster is at %d", at, c.Index)
	}
	if l.state.Read().Claim(claim.Subject) == nil {
		t.Error("a refused base closed the claim")
	}
}

// TestBatchJudgedOneByOne checks that one stale completion among good ones drags none of them down.
func TestBatchJudgedOneByOne(t *testing.T) {
	l := newLog(t)
	d := l.discovery("d")
	var rounds []fsm.Command
	var ids []uint64
	for _, name := range []string{"c", "e", "f"} {
		c := l.cluster(d, name, "a")
		ids = append(ids, c.ID)
		rounds = append(rounds, l.round(l.claim(fsm.KindRefresh, c.ID, fsm.WhyDue), up("a")))
	}
	rounds[1].(*fsm.RefreshComplete).Base--
	a := l.entry(rounds...)
	for i, id := range ids {
		n := l.state.Read().Node(id, "a")
		if good := i != 1; n.Well() != good || (a.Results[i].Error == nil) != good || a.Results[i].Closed != good {
			t.Errorf("completion %d: %+v, the node is %+v", i, a.Results[i], n.Reach)
		}
	}
	if a.Results[1].Error.Code != fsm.CodeStale || len(a.Closed) != 2 {
		t.Errorf("refused with %v, %d claims closed", a.Results[1].Error, len(a.Closed))
	}
}
