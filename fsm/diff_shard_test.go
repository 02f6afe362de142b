package fsm_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/fsm"
)

// lagging is the answer of replica a of shard 0, at an offset.
func lagging(lag *int64, offset int64) fsm.Report {
	return with(up("a"), func(r *fsm.Report) {
		r.Shards = []fsm.Shard{{ID: "0", Role: "replica", LagMS: lag, Offset: &fsm.Offset{Value: offset, Unit: "bytes"}}}
	})
}

// TestShards checks roles, comings and goings, and that each carries the offset and lag of its moment.
func TestShards(t *testing.T) {
	s := begin(t, "a").full(lagging(new(int64(1)), 10))
	s.full(lagging(new(int64(500)), 99)).tells().noted(nil) // by themselves offset and lag make nothing
	if got := s.view.Nodes["a"].Shard("0"); got.Offset.Value != 10 || *got.LagMS != 1 {
		t.Fatalf("shard moved without a fact: %+v", got)
	}
	moved := lagging(new(int64(7)), 120)
	moved.Shards[0].Role = "recovering"
	s.full(moved).tells("shard.changed a/0")
	want := &fsm.ShardPart{Role: "recovering", Offset: &fsm.Offset{Value: 120, Unit: "bytes"}, LagMS: new(int64(7))}
	if diff := cmp.Diff(want, after[*fsm.ShardPart](s, fsm.ShardChanged)); diff != "" {
		t.Fatal(diff)
	}
	s.full(up("a", "3:replica", "1:replica", "0:recovering", "1:other")).tells("shard.added a/1", "shard.added a/3")
	if got := s.view.Nodes["a"].Shard("1").Role; got != "replica" {
		t.Fatalf("of two shards with one id the second was taken: %s", got)
	}
	s.full(up("a", "0:recovering", "1:replica", "1:other", "3:replica")).tells()
	s.full(up("a", "1:replica", "2:replica")).tells("shard.removed a/0", "shard.added a/2", "shard.removed a/3")
	s.full(up("a")).tells("shard.removed a/1", "shard.removed a/2")
}

// TestLag checks both edges of lag_limit, 30 s, and what else ends a lag.
func TestLag(t *testing.T) {
	s := begin(t, "a").full(lagging(new(int64(0)), 1))
	for _, step := range []struct {
		lag   *int64
		tells string
	}{
		{new(int64(29_999)), ""},
		{new(int64(30_000)), "shard.lag_high a/0"},
		{new(int64(90_000)), ""},
		{new(int64(24_000)), ""},
		{new(int64(23_999)), "shard.lag_ok a/0"},
		{new(int64(29_999)), ""},
		{new(int64(30_001)), "shard.lag_high a/0"},
		{nil, "shard.lag_ok a/0"},
		{nil, ""},
	} {
		s.full(lagging(step.lag, 1))
		if step.tells == "" {
			s.tells()
			continue
		}
		s.tells(step.tells, "cluster.health_changed")
		high := s.view.Nodes["a"].Shard("0").High
		if (step.tells == "shard.lag_high a/0") != (high != nil) || high != nil && *high != (fsm.High{LagMS: *step.lag, Since: s.now}) {
			t.Fatalf("at %d high is %+v", *step.lag, high)
		}
	}
}

// TestLagEnds checks that no lag outlives its shard, its limit or its role, and that a first answer can lag.
func TestLagEnds(t *testing.T) {
	late := lagging(new(int64(40_000)), 1)
	begun := func() *story {
		s := begin(t, "a").full(late).tells("node.reachable a", "node.up a", "shard.lag_high a/0",
			"cluster.versions_uniform", "cluster.health_changed")
		return s.health("degraded: lag_high").full(late).tells()
	}
	begun().full(up("a")).tells("shard.lag_ok a/0", "shard.removed a/0", "cluster.health_changed").health("healthy")
	begun().full(up("a", "0:primary")).
		tells("shard.changed a/0", "shard.lag_ok a/0", "shard.primary_changed /0", "cluster.health_changed")
	s := begun()
	s.spec.LagLimit = 0
	s.full(late).tells("shard.lag_ok a/0", "cluster.health_changed")
	s.full(late).tells()
	s.spec.LagLimit = 1
	s.full(late).tells("shard.lag_high a/0", "cluster.health_changed").full(lagging(new(int64(0)), 1)).
		tells("shard.lag_ok a/0", "cluster.health_changed")
	s = begun() // told again once it is back after it was unreachable, not before
	s.full(refused("a")).confirm("o", refused("a")).health("down: lag_high node_unreachable")
	s.full(late).tells("node.reachable a", "cluster.health_changed")
}
