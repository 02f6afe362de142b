package nats_test

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
	i := slices.IndexFunc(members, func(m *member) bool { return m.name == node })
	return members[i], slices.Delete(slices.Clone(members), i, i+1)
}

// failover shows that a killed meta leader, the election after it and its return are told once each. p knows the streams
// too; who leads those are other facts, so the roll is without.
func failover(t *testing.T, p refresh.Prober, members []*member) {
	t.Helper()
	roll := probetest.NewRoll(start(t, ""), members[0].target, members[1].target, members[2].target)
	told := roll.Failover(t, probetest.Failover{
		Shard: "_meta_",
		Lose: func(leader string) {
			m, _ := without(members, leader)
			m.Kill()
			if r := p.Probe(t.Context(), m.target); r.Reason != fsm.ReasonRefused {
				t.Errorf("killed: report is %+v", r)
			}
		},
		Replace: func(lost string) {
			_, rest := without(members, lost)
			led(t, p, "_meta_", rest...)
			led(t, p, "$G/ORDERS", rest...)
		},
		Return: func(lost, _ string) {
			m, _ := without(members, lost)
			m.start(t)
			led(t, p, "_meta_", members...)
			led(t, p, "$G/ORDERS", members...)
		},
	})
	if diff := cmp.Diff([]fsm.EventType{
		fsm.NodeUnreachable, fsm.ShardPrimaryChanged, fsm.NodeReachable, fsm.ShardChanged,
	}, told); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}
