package fsm_test

import (
	"fmt"
	"testing"

	"github.com/musterhq/muster/fsm"
)

// BenchmarkManyShards compares and folds the first full round of a cluster of ten nodes that share many shards: every shard
// gets its primary.
func BenchmarkManyShards(b *testing.B) {
	for _, shards := range []int{256, 1024, 4096} {
		b.Run(fmt.Sprint(shards), func(b *testing.B) {
			view, round := manyShards(shards)
			b.ReportAllocs()
			for b.Loop() {
				facts, _ := fsm.Diff(view, nil, round)
				if err := fsm.FoldAll(view.Clone(), facts); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// manyShards is a cluster of ten nodes that never answered, and the round in which all do.
func manyShards(shards int) (*fsm.View, fsm.Round) {
	const nodes = 10
	v := &fsm.View{Cluster: &fsm.Cluster{ID: 1, Name: "orders", Health: fsm.HealthUnknown}, Nodes: map[string]*fsm.Node{}}
	round := fsm.Round{Now: 1, Peer: "p", Full: true, Spec: fsm.DefaultRefresh()}
	for i := range nodes {
		id := fmt.Sprintf("n%02d", i)
		v.Nodes[id] = &fsm.Node{Cluster: 1, ID: id, Presence: fsm.Present, Lifecycle: fsm.Commissioned}
		r := fsm.Report{Node: id, Reachable: true, State: fsm.StateUp, Kind: "kafka"}
		for s := range shards {
			switch (s + nodes - i) % nodes {
			case 0:
				r.Shards = append(r.Shards, fsm.Shard{ID: fmt.Sprintf("topic-%05d", s), Role: fsm.RolePrimary})
			case 1, 2:
				r.Shards = append(r.Shards, fsm.Shard{ID: fmt.Sprintf("topic-%05d", s), Role: fsm.RoleReplica})
			}
		}
		r.Bound()
		round.Reports = append(round.Reports, r)
	}
	return v, round
}
