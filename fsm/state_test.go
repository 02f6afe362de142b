package fsm_test

import (
	"bytes"
	"testing"

	"github.com/musterhq/muster/fsm"
)

// TestOneRound goes the whole way: a discovery, its run, a refresh.
func TestOneRound(t *testing.T) {
	l := newLog(t)
	l.ok(&fsm.DiscoveryApply{Name: "d", Spec: spec(), Cause: fsm.Cause{Kind: fsm.CauseOperator}})
	d := l.state.Read().Discovery("d")
	run := l.ok(&fsm.ClaimGrant{Kind: fsm.KindRun, Peer: "p", TTL: fsm.Minute, Reason: fsm.WhyDue, IDs: []uint64{d.ID}}).Claim
	l.ok(&fsm.RunComplete{Discovery: d.ID, Settings: d.Settings, Token: run.Token, Enrolments: []fsm.Enrolment{{
		Cluster: "c", Put: []fsm.Listing{{Node: "a", Endpoint: fsm.Endpoint{Address: "h", Port: 1}}},
		Facts: []fsm.Fact{
			{Type: fsm.ClusterDiscovered, After: &fsm.ClusterPart{}},
			{Type: fsm.NodeDiscovered, Node: "a", After: &fsm.NodePart{Presence: fsm.Present, Lifecycle: fsm.Commissioned}},
		},
	}}, Outcome: &fsm.RunOutcome{Records: 1}})
	c := l.state.Read().Cluster("c")
	claim := l.ok(&fsm.ClaimGrant{Kind: fsm.KindRefresh, Peer: "p", TTL: fsm.Minute, Reason: fsm.WhyDue, IDs: []uint64{c.ID}}).Claim
	l.ok(&fsm.RefreshComplete{Cluster: c.ID, Token: claim.Token, Last: true, Base: c.Index, Facts: []fsm.Fact{
		{Type: fsm.NodeReachable, Node: "a", Before: &fsm.ReachPart{}, After: &fsm.ReachPart{Reach: "reachable"}},
	}})
	r := l.state.Read()
	if n := r.Node(c.ID, "a"); n.Reach.Value != "reachable" {
		t.Fatalf("node is %+v", n)
	}
	if r.Claim(claim.Subject) != nil {
		t.Fatal("the claim is still open")
	}
	seq := uint64(0)
	for e := range r.Events(0) {
		if seq++; e.Seq != seq {
			t.Fatalf("event %d follows %d", e.Seq, seq-1)
		}
	}
	if seq != 4 {
		t.Fatalf("%d events", seq)
	}
	twin := fsm.NewState()
	if err := twin.Restore(bytes.NewReader(l.snapshot())); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := twin.Read().WriteSnapshot(&b); err != nil || !bytes.Equal(b.Bytes(), l.snapshot()) {
		t.Fatalf("restored state writes another snapshot (%v)", err)
	}
}
