package fsm_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/fsm"
)

// prim, repl and bare are the answers of a node that is primary or replica of shard 0, or does not hold it.
func prim(node string) fsm.Report { return up(node, "0:primary") }
func repl(node string) fsm.Report { return up(node, "0:replica") }
func bare(node string) fsm.Report { return up(node) }

func odd(many bool) *fsm.Notes { return &fsm.Notes{Odd: []fsm.Odd{{Shard: "0", Many: many}}} }

// primary checks the facts of the last round about who leads shard 0, and what is known after it.
func (s *story) primary(want *fsm.Primary, tells ...fsm.EventType) *story {
	s.t.Helper()
	var got []fsm.EventType
	for _, f := range s.facts {
		if f.Node == "" && f.Shard == "0" {
			got = append(got, f.Type)
		}
	}
	if diff := cmp.Diff(tells, got); diff != "" {
		s.t.Fatalf("facts about the primary (-want +got):\n%s", diff)
	}
	known := s.view.Cluster.Primary("0")
	if known != nil {
		k := *known
		k.Since = 0
		known = &k
	}
	if diff := cmp.Diff(want, known); diff != "" {
		s.t.Fatalf("known primary (-want +got):\n%s", diff)
	}
	return s
}

func led(node string) *fsm.Primary { return &fsm.Primary{Shard: "0", Node: node} }
func lost(node string) *fsm.Primary {
	return &fsm.Primary{Shard: "0", Node: node, State: fsm.PrimaryLost}
}

func double(node string, claimants ...string) *fsm.Primary {
	return &fsm.Primary{Shard: "0", Node: node, State: fsm.PrimaryDuplicated, Nodes: claimants}
}

// abLed is a cluster whose shard 0 is led by a, with b as replica.
func abLed(t *testing.T) *story {
	t.Helper()
	return begin(t, "a", "b").full(prim("a"), repl("b")).primary(led("a"), fsm.ShardPrimaryChanged).noted(nil)
}

// TestSwap takes a planned failover through every order in which rounds may see it: one fact, and never a double.
func TestSwap(t *testing.T) {
	for name, rounds := range map[string][][]fsm.Report{
		"in one round":               {{repl("a"), prim("b")}},
		"nobody for one round":       {{repl("a"), repl("b")}, {repl("a"), prim("b")}},
		"both for one round":         {{prim("a"), prim("b")}, {repl("a"), prim("b")}},
		"nobody, then both":          {{repl("a"), repl("b")}, {prim("a"), prim("b")}, {repl("a"), prim("b")}},
		"both, then nobody":          {{prim("a"), prim("b")}, {repl("a"), repl("b")}, {repl("a"), prim("b")}},
		"both, then the old is away": {{prim("a"), prim("b")}, {refused("a"), prim("b")}, {repl("a"), prim("b")}},
		"the old died":               {{refused("a"), prim("b")}, {repl("a"), prim("b")}},
	} {
		t.Run(name, func(t *testing.T) {
			s := abLed(t)
			var told []fsm.EventType
			for _, reports := range rounds {
				for _, f := range s.full(reports...).facts {
					if f.Node == "" && f.Shard != "" {
						told = append(told, f.Type)
					}
				}
			}
			if !slices.Equal(told, []fsm.EventType{fsm.ShardPrimaryChanged}) {
				t.Fatalf("told %v", told)
			}
			s.full(repl("a"), prim("b")).primary(led("b")).noted(nil)
		})
	}
}

// TestPrimaryLost checks each way to count towards a loss, and each way back.
func TestPrimaryLost(t *testing.T) {
	s := abLed(t).full(repl("a"), repl("b")).primary(led("a")).noted(odd(false))
	s.full(repl("a"), repl("b")).primary(lost("a"), fsm.ShardPrimaryLost).noted(nil).health("degraded: primary_lost")
	s.full(repl("a"), repl("b")).primary(lost("a")).noted(nil)
	s.full(prim("a"), repl("b")).primary(led("a"), fsm.ShardPrimaryRestored).health("healthy")
	s.full(repl("a"), repl("b")).full(prim("a"), repl("b")).primary(led("a")).noted(nil) // right again after one odd round
	s.full(repl("a"), repl("b")).full(repl("a"), repl("b")).full(repl("a"), prim("b")).primary(led("b"), fsm.ShardPrimaryChanged)

	// The known primary is down and holds nothing.
	down := with(bare("a"), func(r *fsm.Report) { r.State = fsm.StateDown })
	abLed(t).full(down, repl("b")).noted(odd(false)).full(down, repl("b")).primary(lost("a"), fsm.ShardPrimaryLost)
	s = begin(t, "a").full(prim("a")).full(down).noted(odd(false)).full(down).primary(lost("a"), fsm.ShardPrimaryLost)
	s.full(bare("a")).primary(nil, fsm.ShardPrimaryChanged) // it is well, and holds it no more

	// The known primary left the view, or is no longer polled.
	s = abLed(t)
	s.fold(decommissioned("a"))
	s.full(repl("b")).noted(odd(false)).full(repl("b")).primary(lost("a"), fsm.ShardPrimaryLost)
	s = abLed(t)
	delete(s.view.Nodes, "a")
	s.full(repl("b")).noted(odd(false)).full(repl("b")).primary(lost("a"), fsm.ShardPrimaryLost)
	s.full(bare("b")).primary(nil, fsm.ShardPrimaryChanged)
}

// TestFailedPollLosesNoPrimary checks that a silent primary is missed only from when it is unreachable.
func TestFailedPollLosesNoPrimary(t *testing.T) {
	s := abLed(t)
	for range 3 {
		s.full(refused("a"), repl("b")).primary(led("a"))
		if len(s.notes.Odd) != 0 {
			t.Fatal("a failed poll was odd")
		}
	}
	s.confirm("o", refused("a")).primary(led("a"))
	s.full(refused("a"), repl("b")).primary(led("a")).full(refused("a"), repl("b")).primary(lost("a"), fsm.ShardPrimaryLost)
	s.health("degraded: node_unreachable primary_lost")

	s = abLed(t).full(repl("a"), repl("b")).full(refused("a"), repl("b")).primary(led("a")) // neither counts nor is right
	if diff := cmp.Diff(odd(false).Odd, s.notes.Odd); diff != "" {
		t.Fatal(diff)
	}
	s.full(repl("a"), repl("b")).primary(lost("a"), fsm.ShardPrimaryLost)
}

// TestPrimaryDuplicated checks the two rounds it takes, other claimants while it stands, and the ways out.
func TestPrimaryDuplicated(t *testing.T) {
	abc := func() *story {
		s := begin(t, "a", "b", "c").full(prim("a"), repl("b"), repl("c")).full(prim("a"), prim("b"), repl("c")).primary(led("a")).noted(odd(true))
		return s.full(prim("a"), prim("b"), repl("c")).primary(double("a", "a", "b"), fsm.ShardPrimaryDuplicate).noted(nil)
	}
	abc().full(prim("a"), prim("b"), repl("c")).primary(double("a", "a", "b")).noted(nil).health("degraded: primary_duplicated")
	abc().full(repl("a"), prim("b"), prim("c")).primary(double("a", "b", "c"), fsm.ShardPrimaryDuplicate)
	abc().full(prim("a"), repl("b"), repl("c")).primary(led("a"), fsm.ShardPrimaryRestored)
	abc().full(repl("a"), prim("b"), repl("c")).primary(led("b"), fsm.ShardPrimaryChanged)
	abc().full(repl("a"), repl("b"), repl("c")).primary(double("a", "a", "b")).noted(odd(false)).
		full(repl("a"), repl("b"), repl("c")).primary(lost("a"), fsm.ShardPrimaryLost)

	// A failed poll ends no claim; being unreachable does.
	s := abc().full(refused("a"), prim("b"), repl("c")).primary(double("a", "a", "b"))
	s.full(refused("a"), refused("b"), repl("c")).primary(double("a", "a", "b"))
	s.confirm("o", refused("a")).full(refused("a"), prim("b"), repl("c")).primary(led("b"), fsm.ShardPrimaryChanged)

	// Many after none, and none after many, start anew.
	s = abLed(t).full(prim("a"), prim("b")).full(repl("a"), repl("b")).primary(led("a")).noted(odd(false))
	s.full(prim("a"), prim("b")).primary(led("a")).noted(odd(true))

	// Never led before.
	s = begin(t, "b", "a").full(prim("a"), prim("b")).primary(nil).noted(odd(true))
	s.full(prim("a"), prim("b")).primary(double("a", "a", "b"), fsm.ShardPrimaryDuplicate)
	begin(t, "b", "a").full(prim("a"), prim("b")).full(repl("a"), repl("b")).primary(nil).noted(nil)
	s = begin(t, "b", "a").full(prim("a"), prim("b")).full(repl("a"), refused("b")).primary(nil)
	if diff := cmp.Diff(odd(true).Odd, s.notes.Odd); diff != "" {
		t.Fatal(diff)
	}
}

// TestShardGone checks that a shard nobody holds any more has no primary, and is not lost.
func TestShardGone(t *testing.T) {
	s := abLed(t).full(bare("a"), bare("b")).primary(nil, fsm.ShardPrimaryChanged).noted(nil).health("healthy")
	s.full(bare("a"), bare("b")).tells().full(bare("a"), repl("b")).primary(nil).noted(nil) // a replica alone never had one
	s = abLed(t)
	s.fold(decommissioned("a"))
	s.full(bare("b")).primary(nil, fsm.ShardPrimaryChanged)                 // nor does the last word of one that is no longer asked count
	abLed(t).full(bare("a"), repl("b")).primary(led("a")).noted(odd(false)) // another node still holds it
}

// TestConfirmingRoundLeavesPrimaries checks every oddness in a confirming round.
func TestConfirmingRoundLeavesPrimaries(t *testing.T) {
	for _, reports := range [][]fsm.Report{{repl("a"), prim("b")}, {repl("a"), repl("b")}, {prim("a"), prim("b")}, {bare("a"), bare("b")}, {prim("a"), repl("b")}} {
		s := abLed(t).confirm("o", reports...).primary(led("a")).noted(nil)
		s.full(prim("a"), prim("b")).confirm("o", reports...).primary(led("a")).noted(odd(true))
		s.full(repl("a"), repl("b")).confirm("o", reports...).primary(led("a")).noted(odd(false))
	}
}

// TestShardsAreJudgedApart checks that several shards in one round keep their own seats.
func TestShardsAreJudgedApart(t *testing.T) {
	s := begin(t, "a", "b")
	s.full(up("a", "0:primary", "1:replica", "2:primary", "4:primary"), up("b", "0:replica", "1:primary", "2:primary", "3:primary"))
	s.noted(&fsm.Notes{Odd: []fsm.Odd{{Shard: "2", Many: true}}})
	s.full(up("a", "0:replica", "1:primary", "2:primary", "4:replica"), up("b", "0:replica", "1:replica", "2:primary"))
	s.noted(&fsm.Notes{Odd: []fsm.Odd{{Shard: "0"}, {Shard: "4"}}})
	s.tells("shard.changed a/0", "shard.changed a/1", "shard.changed a/4", "shard.changed b/1", "shard.removed b/3",
		"shard.primary_changed /1", "shard.primary_duplicated /2", "shard.primary_changed /3", "cluster.health_changed")
	if got := s.view.Cluster.Primaries; len(got) != 4 || got[1].Node != "a" || got[2].State != fsm.PrimaryDuplicated {
		t.Fatalf("primaries are %+v", got)
	}
}
