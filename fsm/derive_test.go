package fsm_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/fsm"
)

// member is a counted node that is well, changed.
func member(change func(*fsm.Node)) *fsm.Node {
	n := &fsm.Node{
		Presence: fsm.Present, Lifecycle: fsm.Commissioned, Said: fsm.Said{Version: "7"},
		Reach: fsm.Axis{Value: fsm.Reachable, Since: 1}, State: fsm.Axis{Value: fsm.StateUp, Since: 1},
	}
	if change != nil {
		change(n)
	}
	return n
}

func inState(state string) *fsm.Node {
	return member(func(n *fsm.Node) { n.State.Value = state })
}

// TestHealth checks each health and each reason.
func TestHealth(t *testing.T) {
	well := member(nil)
	unreachable := member(func(n *fsm.Node) { n.Reach.Value = fsm.NotReachable })
	never := member(func(n *fsm.Node) {
		n.Reach, n.State, n.Said = fsm.Axis{}, fsm.Axis{Value: fsm.StateUnknown}, fsm.Said{}
	})
	neverReached := member(func(n *fsm.Node) {
		n.Reach, n.State, n.Said = fsm.Axis{Value: fsm.NotReachable}, fsm.Axis{Value: fsm.StateUnknown}, fsm.Said{}
	})
	other := member(func(n *fsm.Node) { n.Said.Identity.Mismatch = true })
	late := member(func(n *fsm.Node) { n.Said.Shards = []fsm.Shard{{ID: "0", High: &fsm.High{LagMS: 9}}} })
	for _, test := range []struct {
		name      string
		nodes     []*fsm.Node
		primaries []string
		health    string
		reasons   []string
	}{
		{"empty", nil, nil, "unknown", []string{"no_counted_nodes"}},
		{"none counts", []*fsm.Node{
			member(func(n *fsm.Node) { n.Lifecycle = fsm.Maintenance }), member(func(n *fsm.Node) { n.Presence = fsm.Missing }),
			member(func(n *fsm.Node) { n.Lifecycle = fsm.Discovered }), member(func(n *fsm.Node) { n.Lifecycle = fsm.Decommissioned }),
		}, []string{fsm.PrimaryLost}, "unknown", []string{"no_counted_nodes"}},
		{"never asked", []*fsm.Node{never, never}, nil, "unknown", []string{"never_answered"}},
		{"never reached", []*fsm.Node{neverReached}, nil, "unknown", []string{"never_answered", "node_unreachable"}},
		{"one never asked", []*fsm.Node{never, well}, nil, "degraded", []string{"never_answered"}},
		{"well", []*fsm.Node{well, well}, []string{""}, "healthy", nil},
		{"unreachable", []*fsm.Node{well, unreachable}, nil, "degraded", []string{"node_unreachable"}},
		{"all unreachable", []*fsm.Node{unreachable, unreachable}, nil, "down", []string{"node_unreachable"}},
		{"mismatched", []*fsm.Node{well, other}, nil, "degraded", []string{"identity_mismatch"}},
		{"all mismatched", []*fsm.Node{other}, nil, "down", []string{"identity_mismatch"}},
		{"down", []*fsm.Node{inState("down"), well}, nil, "degraded", []string{"node_down"}},
		{"joining", []*fsm.Node{inState("joining"), well}, nil, "degraded", []string{"node_joining"}},
		{"leaving", []*fsm.Node{inState("leaving"), well}, nil, "degraded", []string{"node_leaving"}},
		{"unknown", []*fsm.Node{inState("unknown"), well}, nil, "degraded", []string{"node_unknown"}},
		{"late", []*fsm.Node{late}, nil, "degraded", []string{"lag_high"}},
		{"lost", []*fsm.Node{well}, []string{"", fsm.PrimaryLost}, "degraded", []string{"primary_lost"}},
		{"duplicated", []*fsm.Node{well}, []string{fsm.PrimaryDuplicated}, "degraded", []string{"primary_duplicated"}},
		{
			"all at once",
			[]*fsm.Node{inState("down"), unreachable, late, other},
			[]string{fsm.PrimaryLost},
			"degraded",
			[]string{"identity_mismatch", "lag_high", "node_down", "node_unreachable", "primary_lost"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			v := &fsm.View{Cluster: &fsm.Cluster{}, Nodes: map[string]*fsm.Node{}}
			for i, n := range test.nodes {
				v.Nodes[string(rune('a'+i))] = n
			}
			for i, state := range test.primaries {
				v.Cluster.Primaries = append(v.Cluster.Primaries, fsm.Primary{Shard: string(rune('0' + i)), State: state})
			}
			facts := fsm.Derive(v, 5)
			if err := fsm.FoldAll(v, facts); err != nil {
				t.Fatal(err)
			}
			got := fsm.HealthPart{Health: v.Cluster.Health, Reasons: v.Cluster.Reasons}
			if diff := cmp.Diff(fsm.HealthPart{Health: test.health, Reasons: test.reasons}, got); diff != "" {
				t.Fatal(diff)
			}
			if again := fsm.Derive(v, 6); again != nil {
				t.Fatalf("derived again: %+v", again)
			}
		})
	}
}

// TestVersions checks the set of versions among counted nodes.
func TestVersions(t *testing.T) {
	v := &fsm.View{Cluster: &fsm.Cluster{Health: "healthy"}, Nodes: map[string]*fsm.Node{}}
	runs := func(version string) *fsm.Node { return member(func(n *fsm.Node) { n.Said.Version = version }) }
	for _, step := range []struct {
		change func()
		tells  fsm.EventType
		want   []string
	}{
		{func() { v.Nodes["a"] = runs("7") }, fsm.ClusterVersionsUniform, []string{"7"}},
		{func() { v.Nodes["b"] = runs("7") }, "", nil},
		{func() { v.Nodes["b"] = runs("6") }, fsm.ClusterVersionsMixed, []string{"6", "7"}},
		{func() { v.Nodes["a"] = runs("8") }, fsm.ClusterVersionsMixed, []string{"6", "8"}},
		{func() { v.Nodes["b"] = runs("") }, fsm.ClusterVersionsUniform, []string{"8"}},
		{func() { v.Nodes["b"] = member(func(n *fsm.Node) { n.Lifecycle = fsm.Maintenance }) }, "", nil},
		{func() { delete(v.Nodes, "a") }, fsm.ClusterVersionsUniform, nil},
	} {
		step.change()
		facts := fsm.Derive(v, 5)
		var got []fsm.Fact
		for _, f := range facts {
			if f.Type != fsm.ClusterHealthChanged {
				got = append(got, f)
			}
		}
		if step.tells == "" && len(got) == 0 {
			continue
		}
		if len(got) != 1 || got[0].Type != step.tells || !cmp.Equal(got[0].After, fsm.Part(&fsm.VersionsPart{Versions: step.want})) {
			t.Fatalf("told %+v, want %s %v", got, step.tells, step.want)
		}
		if err := fsm.FoldAll(v, facts); err != nil {
			t.Fatal(err)
		}
	}
}

// TestDeriveMends checks that what an abandoned proposer left undone is derived by the next.
func TestDeriveMends(t *testing.T) {
	s := begin(t, "a").full(up("a"))
	c := *s.view.Cluster
	c.Health, c.Reasons, c.Versions = "down", []string{"lag_high", "unheard_of"}, []string{"1", "2"}
	s.view.Cluster = &c
	s.full(up("a")).tells("cluster.versions_uniform", "cluster.health_changed").health("healthy").full(up("a")).tells()
	c = *s.view.Cluster
	c.Reasons = []string{"unheard_of"}
	s.view.Cluster = &c
	s.full(up("a")).tells("cluster.health_changed").health("healthy")
	if facts := fsm.Derive(&fsm.View{}, 1); facts != nil {
		t.Fatalf("derived %+v of no cluster", facts)
	}
}
