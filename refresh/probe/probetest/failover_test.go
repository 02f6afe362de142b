package probetest_test

import (
	"context"
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe/probetest"
)

// store is nodes that say what role they have; those without one cannot be asked.
type store map[string]string

func (s store) Probe(_ context.Context, t refresh.Target) fsm.Report {
	role := s[t.Node]
	if role == "" {
		return fsm.Unreachable(t.Node, fsm.ReasonRefused, "")
	}
	return fsm.Report{
		Node: t.Node, Reachable: true, State: fsm.StateUp, Kind: "store", Shards: []fsm.Shard{{ID: "0", Role: role}},
	}
}

func (store) Close() {}

func TestFailover(t *testing.T) {
	for name, c := range map[string]struct {
		between map[string]string // what is so when the leader is lost, beside that it is
		want    []fsm.EventType
	}{
		"told once": {nil, []fsm.EventType{
			fsm.NodeUnreachable, fsm.ShardPrimaryChanged, fsm.NodeReachable, fsm.ShardChanged,
		}},
		"a third leads for a while": {store{"c": fsm.RolePrimary}, []fsm.EventType{
			fsm.NodeUnreachable, fsm.ShardPrimaryChanged, fsm.ShardPrimaryChanged, fsm.NodeReachable, fsm.ShardChanged,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s := store{"a": fsm.RolePrimary, "b": fsm.RoleReplica, "c": fsm.RoleReplica}
			roll := probetest.NewRoll(s, refresh.Target{Node: "a"}, refresh.Target{Node: "b"}, refresh.Target{Node: "c"})
			told := roll.Failover(t, probetest.Failover{
				Shard: "0",
				Lose: func(leader string) {
					s[leader] = ""
					maps.Copy(s, c.between)
				},
				Replace: func(string) { s["b"], s["c"] = fsm.RolePrimary, fsm.RoleReplica },
				Return:  func(lost, _ string) { s[lost] = fsm.RoleReplica },
			})
			if diff := cmp.Diff(c.want, told); diff != "" {
				t.Errorf("told (-want +got):\n%s", diff)
			}
		})
	}
}
