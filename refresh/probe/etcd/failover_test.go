package etcd_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe/probetest"
)

// without are the members but for one, which comes as well.
func without(members []*member, node string) (*member, []*member) {
	i := slices.IndexFunc(members, func(m *member) bool { return m.target.Node == node })
	return members[i], slices.Delete(slices.Clone(members), i, i+1)
}

// failover shows that a killed leader, the election after it and its return are told once each.
func failover(t *testing.T, p refresh.Prober, members []*member) {
	t.Helper()
	settle(t, p, members, led)
	roll := probetest.NewRoll(p, members[0].target, members[1].target, members[2].target)
	told := roll.Failover(t, probetest.Failover{
		Shard: "0",
		Lose: func(leader string) {
			m, _ := without(members, leader)
			m.Kill()
			if r := p.Probe(t.Context(), m.target); r.Reason != fsm.ReasonRefused {
				t.Errorf("killed: report is %+v", r)
			}
		},
		Replace: func(lost string) {
			_, rest := without(members, lost)
			settle(t, p, rest, led)
		},
		Return: func(lost, _ string) {
			m, _ := without(members, lost)
			m.Start(t)
			settle(t, p, members, led)
		},
	})
	if diff := cmp.Diff([]fsm.EventType{
		fsm.NodeUnreachable, fsm.ShardPrimaryChanged, fsm.NodeReachable, fsm.ShardChanged,
	}, told); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}

// majorityLost shows that a leader left alone leads no longer, and says that nobody does.
func majorityLost(t *testing.T, p refresh.Prober, members []*member) {
	t.Helper()
	i := slices.Index(roles(settle(t, p, members, led)), fsm.RolePrimary)
	for j, m := range members {
		if j != i {
			m.Kill()
		}
	}
	alone := members[i : i+1]
	r := settle(t, p, alone, func(r []fsm.Report) bool { return r[0].State != fsm.StateUp })[0]
	if !r.Reachable || r.State != fsm.StateDown || r.StateReason != "no_leader" || r.Version == "" ||
		roles([]fsm.Report{r})[0] != fsm.RoleReplica {
		t.Errorf("without a majority: report is %+v", r)
	}
}
