package fsm_test

import "testing"

// TestSilentNodeClaimsByItsLastWord checks that a claimant of a duplicated shard that has given it up since, and then fails
// a poll, is not taken for its primary: that round learned nothing but a failure (I25b).
func TestSilentNodeClaimsByItsLastWord(t *testing.T) {
	s := begin(t, "a", "b", "c")
	s.full(up("a", "0:replica"), up("b", "0:replica"), up("c", "0:primary"))
	twice := func() { s.full(up("a", "0:primary"), up("b", "0:primary"), up("c", "0:replica")) }
	twice()
	twice()
	if p := s.view.Cluster.Primary("0"); p.State != "duplicated" || p.Node != "c" {
		t.Fatalf("the shard's primary is %+v", p)
	}
	s.full(up("a"), up("b"), refused("c")).tells("shard.removed a/0", "shard.removed b/0")
	s.full(refused("a"), up("b"), refused("c")).tells()
	s.full(refused("a"), refused("b"), refused("c")).tells()
	if p := s.view.Cluster.Primary("0"); p.State != "duplicated" || p.Node != "c" {
		t.Fatalf("failed polls left the primary %+v", p)
	}
}

// TestSilentClaimantStillClaims checks that one that has not given it up still counts.
func TestSilentClaimantStillClaims(t *testing.T) {
	s := begin(t, "a", "b")
	s.full(up("a", "0:primary"), up("b", "0:replica"))
	s.full(up("a", "0:primary"), up("b", "0:primary"))
	s.full(up("a", "0:primary"), up("b", "0:primary"))
	s.full(up("a", "0:primary"), refused("b")).tells()
	s.full(up("a", "0:primary"), up("b", "0:replica")).tells(
		"shard.changed b/0", "shard.primary_restored /0", "cluster.health_changed")
}
