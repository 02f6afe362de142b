package fsm_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/musterhq/muster/fsm"
)

// TestSeatsFoldAsOneByOne checks that facts about who leads fold together to what they fold to one by one, up to the same one
// that is refused.
func TestSeatsFoldAsOneByOne(t *testing.T) {
	types := []fsm.EventType{
		fsm.ShardPrimaryChanged, fsm.ShardPrimaryLost, fsm.ShardPrimaryRestored, fsm.ShardPrimaryDuplicate, fsm.ClusterHealthChanged,
	}
	part := func(t *rapid.T, what string) fsm.Part {
		node := rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, what)
		if node == "" {
			return nil
		}
		return &fsm.PrimaryPart{Primary: node, Since: fsm.Time(rapid.IntRange(1, 2).Draw(t, what+" since"))}
	}
	rapid.Check(t, func(t *rapid.T) {
		c := &fsm.Cluster{ID: 1, Name: "orders", Health: fsm.HealthHealthy}
		for s := range 6 {
			if p, _ := part(t, "known").(*fsm.PrimaryPart); p != nil {
				c.Primaries = append(c.Primaries, fsm.Primary{Shard: fmt.Sprint(s), Node: p.Primary, Since: p.Since})
			}
		}
		known := c.Primaries
		together := &fsm.View{Cluster: c, Nodes: map[string]*fsm.Node{}}
		alone := together.Clone()
		var facts []fsm.Fact
		for range rapid.IntRange(0, 8).Draw(t, "facts") {
			f := fsm.Fact{Type: rapid.SampledFrom(types).Draw(t, "type"), Shard: fmt.Sprint(rapid.IntRange(0, 6).Draw(t, "shard")), After: part(t, "after")}
			if p := c.Primary(f.Shard); p != nil && rapid.IntRange(0, 9).Draw(t, "right") > 0 {
				f.Before = &fsm.PrimaryPart{Primary: p.Node, Since: p.Since}
			}
			if f.Type == fsm.ClusterHealthChanged {
				f.Shard, f.Before, f.After = "", &fsm.HealthPart{Health: fsm.HealthHealthy}, &fsm.HealthPart{Health: fsm.HealthDown}
			}
			facts = append(facts, f)
		}
		var want error
		for _, f := range facts {
			if want = fsm.Fold(alone, f); want != nil {
				break
			}
		}
		got := fsm.FoldAll(together, facts)
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("together: %v, one by one: %v", got, want)
		}
		if diff := cmp.Diff(alone, together); diff != "" {
			t.Fatalf("view (-one by one +together):\n%s", diff)
		}
		if diff := cmp.Diff(known, c.Primaries); diff != "" {
			t.Fatalf("the row that was folded is changed:\n%s", diff)
		}
	})
}
