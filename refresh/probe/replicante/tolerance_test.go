package replicante_test

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh/probe/probetest"
)

func TestWhatStatusMeans(t *testing.T) {
	for said, want := range map[string]string{
		`"HEALTHY"`:              "up ",
		`"healthy"`:              "up ",
		`{"Healthy":null}`:       "up ",
		`"UNHEALTHY"`:            "down unhealthy",
		`"JOINING_CLUSTER"`:      "joining ",
		`"LEAVING_CLUSTER"`:      "leaving ",
		`"UNAVAILABLE"`:          "down store_unavailable",
		`"NOT_IN_CLUSTER"`:       "unknown not_in_cluster",
		`{"UNKNOWN":"STARTUP7"}`: "unknown STARTUP7",
		`{"Unknown":7}`:          "unknown unknown",
		`"NAPPING"`:              "unknown napping",
	} {
		node := strings.Replace(second[nodePath].body, `"HEALTHY"`, said, 1)
		p, _, target := start(t, with(second, map[string]page{nodePath: {body: node}}))
		if r := p.Probe(t.Context(), target); r.State+" "+r.StateReason != want || !r.Reachable {
			t.Errorf("%s: report is %+v, wanted is %s", said, r, want)
		}
	}
	for _, said := range []string{`null`, `""`, `7`, `{}`, `{"HEALTHY":1,"UNHEALTHY":2}`, `["HEALTHY"]`} {
		node := strings.Replace(second[nodePath].body, `"HEALTHY"`, said, 1)
		p, _, target := start(t, with(second, map[string]page{nodePath: {body: node}}))
		if r := p.Probe(t.Context(), target); r.Reason != fsm.ReasonProtocol {
			t.Errorf("%s: report is %+v", said, r)
		}
	}
}

func TestWhatShardsMean(t *testing.T) {
	shard := func(role string) fsm.Shard { return fsm.Shard{ID: "s", Role: role} }
	at := func(value int64, unit string) fsm.Shard {
		return fsm.Shard{ID: "s", Role: fsm.RolePrimary, Offset: &fsm.Offset{Value: value, Unit: unit}}
	}
	behind := func(ms int64) fsm.Shard { return fsm.Shard{ID: "s", Role: fsm.RolePrimary, LagMS: &ms} }
	for said, want := range map[string]fsm.Shard{
		`"role":"PRIMARY"`:                    shard(fsm.RolePrimary),
		`"role":{"primary":null}`:             shard(fsm.RolePrimary),
		`"role":"SECONDARY"`:                  shard(fsm.RoleReplica),
		`"role":"Recovering"`:                 shard(fsm.RoleRecovering),
		`"role":{"OTHER":"Hidden"}`:           shard("hidden"),
		`"role":"Delayed"`:                    shard("delayed"),
		`"role":"primary","commit_offset":{}`: shard(fsm.RolePrimary),
		`"role":"primary","commit_offset":7`:  shard(fsm.RolePrimary),
		`"role":"primary","commit_offset":{"unit":"seconds","value":null}`:                      shard(fsm.RolePrimary),
		`"role":"primary","commit_offset":{"unit":"seconds","value":"7"}`:                       shard(fsm.RolePrimary),
		`"role":"primary","commit_offset":{"unit":"seconds","value":1.5}`:                       shard(fsm.RolePrimary),
		`"role":"primary","commit_offset":{"unit":"Seconds","value":-7}`:                        at(-7, "seconds"),
		`"role":"primary","commit_offset":{"unit":{"Unit":"opTime"},"value":7}`:                 at(7, "opTime"),
		`"role":"primary","commit_offset":{"value":7}`:                                          at(7, ""),
		`"role":"primary","commit_offset":{"unit":"a\u0000b","value":7}`:                        at(7, ""),
		`"role":"primary","commit_offset":{"unit":"` + strings.Repeat("u", 65) + `","value":7}`: at(7, ""),
		`"role":"primary","lag":{"unit":"seconds","value":3}`:                                   behind(3000),
		`"role":"primary","lag":{"unit":"milliseconds","value":3}`:                              behind(3),
		`"role":"primary","lag":{"unit":"seconds","value":9223372036854775807}`:                 behind(math.MaxInt64 / 1000 * 1000),
		`"role":"primary","lag":{"unit":"seconds","value":-1}`:                                  shard(fsm.RolePrimary),
		`"role":"primary","lag":{"unit":{"unit":"bytes"},"value":3}`:                            shard(fsm.RolePrimary),
		`"role":"primary","lag":{"value":3}`:                                                    shard(fsm.RolePrimary),
	} {
		for _, id := range []string{"id", "shard_id"} {
			body := `{"shards":[7,null,{"` + id + `":"s",` + said + `},{"id":"bad"},{"role":"primary"},` +
				`{"id":"bad","role":{"Other":"Primary"}},{"id":"bad","role":{"unknown":""}},{"id":["bad"],"role":"primary"}]}`
			p, _, target := start(t, with(second, map[string]page{secondShards: {body: body}}))
			if diff := cmp.Diff([]fsm.Shard{want}, p.Probe(t.Context(), target).Shards); diff != "" {
				t.Errorf("%s (-want +got):\n%s", said, diff)
			}
		}
	}
}

// Every member of a MongoDB replica set names itself as its shard.
func TestShardsNamedAfterTheirNode(t *testing.T) {
	for name, c := range map[string]struct{ shards, store, want string }{
		"its own address": {`{"id":"10.1.0.7:27017","role":"Primary"}`, `{"cluster_id":"orders-rs"}`, "orders-rs"},
		"another address": {`{"id":"10.1.0.8:27017","role":"Primary"}`, `{"cluster_id":"orders-rs"}`, "10.1.0.8:27017"},
		"no cluster":      {`{"id":"10.1.0.7:27017","role":"Primary"}`, `{}`, "10.1.0.7:27017"},
		"one shard among others": {
			`{"id":"10.1.0.7:27017","role":"Primary"},{"id":"x","role":"Primary"}`, `{"cluster_id":"c"}`, "10.1.0.7:27017 x",
		},
	} {
		t.Run(name, func(t *testing.T) {
			p, _, target := start(t, with(second, map[string]page{
				secondShards: {body: `{"shards":[` + c.shards + `]}`}, storePath: {body: c.store},
			}))
			var ids []string
			for _, s := range p.Probe(t.Context(), target).Shards {
				ids = append(ids, s.ID)
			}
			if got := strings.Join(ids, " "); got != c.want {
				t.Errorf("shards are %q, wanted is %q", got, c.want)
			}
		})
	}
}

func TestFieldsOfOtherTypes(t *testing.T) {
	p, _, target := start(t, map[string]page{
		nodePath: {body: `{"address":[],"agent_version":"0.1.0","attributes":[1],"node_id":7,"id":"i-0a1",
 "node_status":"healthy","store_id":{},"store_version":{"number":4}}`},
		storePath: {body: `{"cluster_id":null,"attributes":{"a":[1],"b":{"c":1},"n":12345678901234567890,"f":1.50}}`},
	})
	expect(t, p.Probe(t.Context(), target), fsm.Report{
		Node: "n1", Reachable: true, State: fsm.StateUp, NodeID: "i-0a1", SidecarVersion: "0.1.0",
		Attributes: map[string]string{"n": "12345678901234567890", "f": "1.50"},
	})
	p, _, target = start(t, map[string]page{
		agentPath:     {body: `{"version":"0.2.0"}`},
		datastorePath: {body: `{"cluster":"orders-rs","name":"db1","kind":"Redis","version":"7"}`},
		firstShards:   {body: `{"shards":null}`},
	})
	expect(t, p.Probe(t.Context(), target), fsm.Report{
		Node: "n1", Reachable: true, State: fsm.StateUp, NodeID: "db1", ClusterID: "orders-rs", Kind: "Redis", Version: "7",
		SidecarVersion: "0.2.0",
	})
}

// What a store said last stays in the view when its agent can no longer ask it.
func TestLastWordOfAStore(t *testing.T) {
	for name, down := range map[string]map[string]page{
		"the node says so": {nodePath: {body: strings.Replace(second[nodePath].body, "HEALTHY", "UNAVAILABLE", 1)}},
		"its shards fail":  {secondShards: {status: 500}},
		"while it is unwell": {
			nodePath: {body: strings.Replace(second[nodePath].body, "HEALTHY", "UNHEALTHY", 1)}, secondShards: {status: 500},
		},
	} {
		t.Run(name, func(t *testing.T) {
			p, a, target := start(t, second)
			roll := probetest.NewRoll(p, target)
			roll.Round(t)
			a.become(with(second, down))
			roll.Round(t)
			n := roll.View.Nodes["n1"]
			if n.State.Value != fsm.StateDown || n.Said.Version != "4.4.13" || len(n.Said.Shards) != 2 || n.Said.Identity.Mismatch {
				t.Errorf("the view is %+v", n)
			}
		})
	}
}
