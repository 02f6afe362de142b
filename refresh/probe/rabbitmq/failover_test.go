package rabbitmq_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe/probetest"
)

// leads says whether a node is asked with success and leads a queue.
func leads(t *testing.T, p refresh.Prober, b *broker, queue string) bool {
	t.Helper()
	return slices.Contains(p.Probe(t.Context(), b.target).Shards, fsm.Shard{ID: queue, Role: fsm.RolePrimary})
}

// moved waits until a node other than the first leads one of the queues, and the first no longer does, and gives that queue.
func moved(t *testing.T, p refresh.Prober, all []*broker) string {
	t.Helper()
	queue := ""
	until(t, "a leader moved", func() bool {
		for _, s := range roles("", "") {
			for _, b := range all[1:] {
				if leads(t, p, b, s.ID) && !leads(t, p, all[0], s.ID) {
					queue = s.ID
				}
			}
		}
		return queue != ""
	})
	return queue
}

// failover shows that the killed leader of a queue, the election after it and its return are told once each.
func failover(t *testing.T, p refresh.Prober, all []*broker, queue string) {
	t.Helper()
	of := map[string]*broker{}
	var targets []refresh.Target
	for _, b := range all {
		of[b.target.Node], targets = b, append(targets, b.target)
	}
	told := probetest.NewRoll(p, targets...).Failover(t, probetest.Failover{
		Shard: queue,
		Lose: func(leader string) {
			of[leader].Kill()
			if r := p.Probe(t.Context(), of[leader].target); r.Reason != fsm.ReasonRefused {
				t.Errorf("killed: report is %+v", r)
			}
		},
		Replace: func(lost string) {
			until(t, "another leads "+queue, func() bool {
				return slices.ContainsFunc(all, func(b *broker) bool { return b != of[lost] && leads(t, p, b, queue) })
			})
		},
		Return: func(lost, _ string) {
			of[lost].start(t)
			until(t, lost+" follows", func() bool {
				return cmp.Equal(roles(fsm.RoleReplica, fsm.RoleReplica), p.Probe(t.Context(), of[lost].target).Shards)
			})
		},
	})
	if diff := cmp.Diff([]fsm.EventType{
		fsm.NodeUnreachable, fsm.ShardPrimaryChanged, fsm.NodeReachable, fsm.ShardChanged,
	}, told); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}

// majorityLost shows that what the others led nobody leads once they are gone.
func majorityLost(t *testing.T, p refresh.Prober, all []*broker) {
	t.Helper()
	before := p.Probe(t.Context(), all[0].target).Shards
	for _, b := range all[1:] {
		b.Kill()
	}
	until(t, "a is asked alone", func() bool {
		r := p.Probe(t.Context(), all[0].target)
		if diff := cmp.Diff(before, r.Shards); r.Reachable && diff != "" {
			t.Fatalf("alone: shards (-want +got):\n%s", diff)
		}
		return r.Reachable
	})
}
