package fsm_test

import (
	"fmt"
	"testing"

	"github.com/musterhq/muster/fsm"
)

// unchanged is a settled cluster of ten nodes and a round that changes nothing.
func unchanged(tb testing.TB) (*fsm.View, fsm.Round) {
	tb.Helper()
	v := &fsm.View{Nodes: map[string]*fsm.Node{}}
	facts := []fsm.Fact{{Type: fsm.ClusterDiscovered, After: &fsm.ClusterPart{}}}
	r := fsm.Round{Now: 1, Peer: "p", Full: true, Spec: fsm.DefaultRefresh()}
	for i := range 10 {
		id := fmt.Sprintf("orders-%d", i)
		facts = append(facts, fsm.Fact{Type: fsm.NodeDiscovered, Node: id, After: &fsm.NodePart{
			Sources: []string{"s"}, Presence: fsm.Present, Lifecycle: fsm.Commissioned,
		}})
		rep := with(up(id, "0:replica"), func(r *fsm.Report) {
			r.NodeID, r.ClusterID = id, "orders"
			r.Attributes = map[string]string{"zone": "eu-1a", "maxmemory": "1073741824", "os": "linux"}
		})
		if i == 0 {
			rep.Shards[0].Role = fsm.RolePrimary
		}
		r.Reports = append(r.Reports, rep)
	}
	if err := fsm.FoldAll(v, facts); err != nil {
		tb.Fatal(err)
	}
	facts, _ = fsm.Diff(v, nil, r)
	if err := fsm.FoldAll(v, facts); err != nil {
		tb.Fatal(err)
	}
	return v, r
}

// TestUnchangedAllocates bounds what an unchanged round costs, which is nearly every round there is.
func TestUnchangedAllocates(t *testing.T) {
	v, r := unchanged(t)
	if n := testing.AllocsPerRun(100, func() {
		if facts, notes := fsm.Diff(v, nil, r); facts != nil || notes != nil {
			t.Fatal("the round is not unchanged")
		}
	}); n > 2 {
		t.Fatalf("an unchanged round allocates %v times", n)
	}
}

func BenchmarkDiffUnchanged(b *testing.B) {
	v, r := unchanged(b)
	b.ReportAllocs()
	for b.Loop() {
		fsm.Diff(v, nil, r)
	}
}
