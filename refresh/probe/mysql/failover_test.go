package mysql_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe/probetest"
)

// failover shows that a killed primary a, its replica b's promotion and the return of a as a replica are told once each.
func failover(t *testing.T, p refresh.Prober, a, b *server) {
	t.Helper()
	var promoted fsm.Shard
	told := probetest.NewRoll(p, a.target, b.target).Failover(t, probetest.Failover{
		Shard: "0",
		Lose: func(string) {
			a.Kill()
			if r := p.Probe(t.Context(), a.target); r.Reason != fsm.ReasonRefused {
				t.Errorf("killed: report is %+v", r)
			}
			b.await(t, "slave_running", "OFF")
			if alone := want(t, p, b, fsm.RoleReplica); alone.LagMS != nil {
				t.Errorf("the lag of a replica without its primary is %d", *alone.LagMS)
			}
		},
		Replace: func(string) {
			b.do(t, "STOP SLAVE", "RESET SLAVE ALL", "SET GLOBAL read_only = OFF", "INSERT INTO orders.orders VALUES (3)")
			promoted = want(t, p, b, fsm.RolePrimary)
		},
		Return: func(string, string) {
			a.start(t)
			a.follow(t, b)
			if got := want(t, p, a, fsm.RoleReplica); *got.Offset != *promoted.Offset {
				t.Errorf("the old primary is at %+v, the new one at %+v", got.Offset, promoted.Offset)
			}
		},
	})
	if diff := cmp.Diff([]fsm.EventType{
		fsm.NodeUnreachable, fsm.ShardPrimaryChanged, fsm.NodeReachable, fsm.NodeInfoChanged, fsm.ShardChanged,
	}, told); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}
