package fsm_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/fsm"
)

// TestFoldThenUnfold tells one cluster's short life and takes it back fact by fact.
func TestFoldThenUnfold(t *testing.T) {
	lag := int64(40_000)
	facts := []fsm.Fact{
		{Type: fsm.ClusterDiscovered, After: &fsm.ClusterPart{}},
		{Type: fsm.NodeDiscovered, Node: "a", After: &fsm.NodePart{
			Endpoint: fsm.Endpoint{Address: "127.0.0.1", Port: 1}, Sources: []string{"s"},
			Presence: fsm.Present, Lifecycle: fsm.Commissioned,
		}},
		{Type: fsm.NodeReachable, Node: "a", Before: &fsm.ReachPart{}, After: &fsm.ReachPart{Reach: "reachable", Since: 7}},
		{
			Type: fsm.NodeUp, Node: "a",
			Before: &fsm.StatePart{State: "unknown", Said: &fsm.Said{}},
			After: &fsm.StatePart{State: "up", Since: 7, Said: &fsm.Said{
				Kind: "redis", Version: "7", Shards: []fsm.Shard{{ID: "0", Role: "replica"}},
			}},
		},
		{
			Type: fsm.ShardLagHigh, Node: "a", Shard: "0", Before: &fsm.LagPart{},
			After: &fsm.LagPart{High: &fsm.High{LagMS: lag, Since: 8}},
		},
		{
			Type: fsm.ShardChanged, Node: "a", Shard: "0", Before: &fsm.ShardPart{Role: "replica"},
			After: &fsm.ShardPart{Role: "primary"},
		},
		{Type: fsm.ShardPrimaryChanged, Shard: "0", After: &fsm.PrimaryPart{Primary: "a", Since: 9}},
		{Type: fsm.ClusterHealthChanged, Before: &fsm.HealthPart{}, After: &fsm.HealthPart{Health: "healthy"}},
	}
	v := &fsm.View{Nodes: map[string]*fsm.Node{}}
	steps := []*fsm.View{v.Clone()}
	for _, f := range facts {
		if err := fsm.Fold(v, f); err != nil {
			t.Fatal(err)
		}
		steps = append(steps, v.Clone())
	}
	if n := v.Nodes["a"]; !n.Well() || n.Shard("0").Role != "primary" || n.Shard("0").High.LagMS != lag {
		t.Fatalf("folded node is %+v", n)
	}
	for i, f := range slices.Backward(facts) {
		if err := fsm.Unfold(v, f); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(steps[i], v); diff != "" {
			t.Fatalf("unfolding %s left (-want +got):\n%s", f.Type, diff)
		}
	}
}

// TestFoldRefusesAnotherBefore checks that a fact computed on another picture changes nothing.
func TestFoldRefusesAnotherBefore(t *testing.T) {
	v := &fsm.View{Cluster: &fsm.Cluster{Health: "down"}, Nodes: map[string]*fsm.Node{}}
	before := v.Clone()
	err := fsm.Fold(v, fsm.Fact{
		Type:   fsm.ClusterHealthChanged,
		Before: &fsm.HealthPart{Health: "healthy"}, After: &fsm.HealthPart{Health: "degraded"},
	})
	if err == nil || cmp.Diff(before, v) != "" {
		t.Fatalf("err %v, view %+v", err, v)
	}
}
