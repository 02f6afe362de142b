package postgres_test

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
	told := probetest.NewRoll(p, a.target, b.target).Failover(t, probetest.Failover{
		Shard: "0",
		Lose: func(string) {
			a.Kill()
			b.await(t, "NOT EXISTS (SELECT FROM pg_stat_wal_receiver)")
			if r := p.Probe(t.Context(), a.target); r.Reason != fsm.ReasonRefused {
				t.Errorf("killed: report is %+v", r)
			}
			r := p.Probe(t.Context(), b.target)
			if r.Attributes["wal_receiver"] != "none" || r.Shards[0].Role != fsm.RoleReplica || r.Shards[0].LagMS != nil {
				t.Errorf("without its primary: report is %+v", r)
			}
		},
		Replace: func(string) {
			b.do(t, "SELECT pg_promote()")
			want(t, p, b, fsm.RolePrimary)
		},
		Return: func(string, string) {
			a.follow(t, b)
			want(t, p, a, fsm.RoleReplica)
		},
	})
	if diff := cmp.Diff([]fsm.EventType{
		fsm.NodeUnreachable, fsm.ShardPrimaryChanged, fsm.NodeReachable, fsm.NodeInfoChanged, fsm.ShardChanged,
	}, told); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}
