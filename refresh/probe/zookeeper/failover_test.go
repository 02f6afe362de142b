package zookeeper_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe/probetest"
)

// without are the servers but for one, which comes as well.
func without(servers []*server, node string) (*server, []*server) {
	i := slices.IndexFunc(servers, func(s *server) bool { return s.target.Node == node })
	return servers[i], slices.Delete(slices.Clone(servers), i, i+1)
}

// epoch is the leader's among servers that are led.
func epoch(reports []fsm.Report) int64 {
	i := slices.IndexFunc(reports, func(r fsm.Report) bool { return role(r) == fsm.RolePrimary })
	return reports[i].Shards[0].Offset.Value >> 32
}

// failover shows that a killed leader, the election after it and its return are told once each.
func failover(t *testing.T, p refresh.Prober, servers []*server) {
	t.Helper()
	before := epoch(settle(t, p, servers, led))
	var targets []refresh.Target
	for _, s := range servers {
		targets = append(targets, s.target)
	}
	told := probetest.NewRoll(p, targets...).Failover(t, probetest.Failover{
		Shard: "0",
		Lose: func(leader string) {
			s, _ := without(servers, leader)
			s.Kill()
			if r := p.Probe(t.Context(), s.target); r.Reason != fsm.ReasonRefused {
				t.Errorf("killed: report is %+v", r)
			}
		},
		Replace: func(lost string) {
			_, rest := without(servers, lost)
			if now := epoch(settle(t, p, rest, led)); now <= before {
				t.Errorf("the new leader's epoch is %d, it was %d", now, before)
			}
		},
		Return: func(lost, _ string) {
			s, _ := without(servers, lost)
			s.Start(t)
			settle(t, p, servers, led)
		},
	})
	if diff := cmp.Diff([]fsm.EventType{
		fsm.NodeUnreachable, fsm.ShardPrimaryChanged, fsm.NodeReachable, fsm.ShardChanged,
	}, told); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}

// quorumLost shows what a server says that is left alone: first that it looks for others, then that it serves old reads.
func quorumLost(t *testing.T, p refresh.Prober, servers []*server) {
	t.Helper()
	reports := settle(t, p, servers, led)
	i := slices.IndexFunc(reports, func(r fsm.Report) bool { return role(r) == fsm.RoleReplica })
	for j, s := range servers {
		if j != i {
			s.Kill()
		}
	}
	for _, reason := range []string{"not_serving", "read_only"} {
		r := settle(t, p, servers[i:i+1], func(r []fsm.Report) bool { return r[0].StateReason == reason })[0]
		if !r.Reachable || r.State != fsm.StateDown {
			t.Errorf("without a quorum: report is %+v", r)
		}
	}
}
