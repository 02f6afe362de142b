package fsm_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/fsm"
)

// led100 is a cluster whose node a leads the shards s00000 to s00099, of which b holds the last as a replica; and what a and b
// answered.
func led100(t *testing.T) (s *story, a, b fsm.Report) {
	t.Helper()
	a, b = holding("a", shards("s", 0, 100, "primary")), holding("b", shards("s", 99, 1, "replica"))
	s = begin(t, "a", "b").full(a, b).health("healthy")
	if n := len(s.view.Cluster.Primaries); n != 100 {
		t.Fatalf("%d primaries are known", n)
	}
	return s, a, b
}

// overfull is a's answer once it holds ten thousand more shards, of an order in which those it leads are cut.
func overfull() fsm.Report {
	return holding("a", shards("r", 0, 10_000, "replica"), shards("s", 0, 100, "primary"))
}

// counts checks how many facts of each type, about nodes and shards that begin with a letter or none, the last round told.
func (s *story) counts(want map[string]int) *story {
	s.t.Helper()
	got := map[string]int{}
	for _, f := range s.facts {
		letter := ""
		if f.Shard != "" {
			letter = " " + f.Shard[:1]
		}
		got[string(f.Type)+letter]++
	}
	if diff := cmp.Diff(want, got); diff != "" {
		s.t.Fatalf("facts (-want +got):\n%s", diff)
	}
	return s
}

// stillLed checks that the shards cut are led by a node as they were.
func (s *story) stillLed(node string) *story {
	s.t.Helper()
	for _, shard := range shards("s", 0, 100, "") {
		if p := s.view.Cluster.Primary(shard.ID); p == nil || p.Node != node || p.State != "" {
			s.t.Fatalf("the primary of %s is %+v", shard.ID, p)
		}
	}
	return s
}

// TestCutShardsKeepTheirPrimary takes a node over the limit of shards and back. What is cut is told as removed and by one
// attribute, and nothing else, however long it lasts.
func TestCutShardsKeepTheirPrimary(t *testing.T) {
	s, a, b := led100(t)
	s.full(overfull(), b).stillLed("a").noted(churn(fsm.AttributeCut, 1)).health("healthy").counts(map[string]int{
		"node.info_changed": 1, "shard.removed s": 100, "shard.added r": fsm.MaxShards,
	})
	info := s.facts[slices.IndexFunc(s.facts, func(f fsm.Fact) bool { return f.Type == fsm.NodeInfoChanged })]
	if got := info.After.(*fsm.SoftwarePart).Attributes[fsm.AttributeCut]; got != "shards" {
		t.Fatalf("it says %q is cut", got)
	}
	for range 4 {
		s.full(overfull(), b).tells().noted(nil)
	}
	s.confirm("o", overfull(), b).tells()
	s.full(a, b).stillLed("a").counts(map[string]int{
		"node.info_changed": 1, "shard.added s": 100, "shard.removed r": fsm.MaxShards,
	})
	s.full(a, b).tells().noted(nil)
}

// TestCutAtTheEnd checks that shards which come beyond the limit touch none of those before it.
func TestCutAtTheEnd(t *testing.T) {
	s, _, b := led100(t)
	s.full(holding("a", shards("s", 0, 10_000, "primary")), b).stillLed("a").counts(map[string]int{
		"node.info_changed": 1, "shard.added s": fsm.MaxShards - 100, "shard.primary_changed s": fsm.MaxShards - 100,
	})
}

// TestCutShardIsClaimed checks that another node's claim to a shard that is cut wins at once.
func TestCutShardIsClaimed(t *testing.T) {
	s, a, _ := led100(t)
	b := holding("b", shards("s", 99, 1, "primary"))
	s.full(overfull(), b)
	if p := s.view.Cluster.Primary("s00099"); p == nil || p.Node != "b" || p.State != "" {
		t.Fatalf("the primary is %+v", p)
	}
	s.full(overfull(), b).tells()
	s.full(a, b).full(a, b) // a claims it still: that was no loss, and now is a double
	if p := s.view.Cluster.Primary("s00099"); p.State != fsm.PrimaryDuplicated {
		t.Fatalf("the primary is %+v", p)
	}
}

// TestCutThenSilent checks that a failed poll tells no more of a shard that was cut than the cut itself did, and that the
// shard is lost once its primary is unreachable.
func TestCutThenSilent(t *testing.T) {
	s, a, b := led100(t)
	s.full(overfull(), b)
	for range 3 {
		s.full(refused("a"), b).tells().stillLed("a")
	}
	s.full(overfull(), b).tells()
	s.full(refused("a"), b).confirm("o", refused("a")).tells("node.unreachable a", "cluster.health_changed").stillLed("a")
	s.full(refused("a"), b).stillLed("a")
	s.full(refused("a"), b).counts(map[string]int{"shard.primary_lost s": 100, "cluster.health_changed": 1})
	s.full(overfull(), b).counts(map[string]int{"node.reachable": 1, "cluster.health_changed": 1})
	s.full(a, b).stillLed("a").health("healthy")
}

// TestCutClaimantStillClaims checks that of a duplicated shard neither a cut nor a failed poll after it ends a claim.
func TestCutClaimantStillClaims(t *testing.T) {
	s, a, _ := led100(t)
	b := holding("b", shards("s", 99, 1, "primary"))
	s.full(a, b).full(a, b)
	double := func() {
		t.Helper()
		if p := s.view.Cluster.Primary("s00099"); p.State != fsm.PrimaryDuplicated || !slices.Equal(p.Nodes, []string{"a", "b"}) {
			t.Fatalf("the primary is %+v", p)
		}
	}
	double()
	s.full(overfull(), b)
	double()
	s.full(refused("a"), b).tells()
	double()
	s.full(overfull(), b).tells()
	s.full(holding("a", shards("s", 0, 99, "primary")), b)
	if p := s.view.Cluster.Primary("s00099"); p.State != "" || p.Node != "b" {
		t.Fatalf("given up by a, the primary is %+v", p)
	}
}

// TestDroppedBeforeTheCut checks that a shard missing before the place of the cut was dropped knowingly.
func TestDroppedBeforeTheCut(t *testing.T) {
	all := shards("s", 0, 2000, "primary")
	s := begin(t, "a").full(holding("a", all)).full(holding("a", all[:5], all[6:]))
	s.tells("shard.removed a/s00005", "shard.added a/s01024", "shard.primary_changed /s00005", "shard.primary_changed /s01024")
	if p := s.view.Cluster.Primary("s00005"); p != nil {
		t.Fatalf("its primary is %+v", p)
	}
}

// TestAnswersGrowNoState checks that of a node which names other shards in every answer, cut or not, up or not, no more are
// remembered than nodes may hold twice.
func TestAnswersGrowNoState(t *testing.T) {
	for state, c := range map[string]struct{ shards, known int }{
		fsm.StateUp: {fsm.MaxShards + 1, 2 * fsm.MaxShards}, fsm.StateDown: {fsm.MaxShards, fsm.MaxShards},
	} {
		s := begin(t, "a").full(with(bare("a"), func(r *fsm.Report) { r.State = state }))
		grown := *s.view.Cluster
		for _, shard := range slices.Concat(shards("y", 0, fsm.MaxShards, ""), shards("z", 0, fsm.MaxShards, "")) {
			grown.Primaries = append(grown.Primaries, fsm.Primary{Shard: shard.ID, Node: "a", Since: s.now})
		}
		s.view.Cluster = &grown
		facts, _ := fsm.Diff(s.view, nil, fsm.Round{
			Now: s.now + 1000, Peer: "p", Full: true, Spec: s.spec, Reports: []fsm.Report{
				with(holding("a", shards("x", 0, c.shards, "primary")), func(r *fsm.Report) { r.State = state }),
			},
		})
		s.fold(facts...)
		if n := len(s.view.Cluster.Primaries); n != c.known {
			t.Errorf("while it is %s, %d primaries are known", state, n)
		}
	}
}
