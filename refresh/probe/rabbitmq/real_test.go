package rabbitmq_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe/probetest"
)

const queueBody = `{"durable":true,"arguments":{"x-queue-type":"quorum"}}`

func TestRealCluster(t *testing.T) {
	probetest.Real(t)
	all := brokers(t, "a", "b", "c")
	a := all[0]
	p := start(t, "{"+login+"}")
	a.start(t)
	a.put(t, "users/muster", `{"password":"`+secrets["right"]+`","tags":"monitoring"}`)
	for _, b := range all[1:] {
		b.Start(t)
	}
	for range 2 {
		expect(t, p, a, nil)
	}
	// A node that boots says nothing at all: it does not listen, or hangs up.
	for _, b := range all[1:] {
		until(t, b.name+" is up", func() bool {
			r := p.Probe(t.Context(), b.target)
			if !r.Reachable && r.Reason != fsm.ReasonRefused && r.Reason != fsm.ReasonReset {
				t.Fatalf("booting: report is %+v", r)
			}
			return r.State == fsm.StateUp
		})
	}
	a.put(t, "queues/%2F/orders", queueBody)
	a.put(t, "queues/%2F/returns", queueBody)
	a.put(t, "queues/%2F/plain", `{"durable":true}`)
	expect(t, p, a, nil) // nothing is permitted yet
	a.put(t, "permissions/%2F/muster", `{"configure":"","write":"","read":""}`)
	expect(t, p, a, roles(fsm.RolePrimary, fsm.RolePrimary))
	for _, b := range all[1:] {
		expect(t, p, b, roles(fsm.RoleReplica, fsm.RoleReplica))
	}
	until(t, "a lacks disk", func() bool {
		r := p.Probe(t.Context(), a.target)
		return r.State == fsm.StateUp && r.StateReason == "disk_alarm"
	})

	t.Run("rights", func(t *testing.T) { rights(t, a) })
	t.Run("ports", func(t *testing.T) { ports(t, a) })

	a.send(t, http.MethodPost, "rebalance/queues", "")
	failover(t, p, all, moved(t, p, all))
	majorityLost(t, p, all)
}

// roles are those of the two queues.
func roles(orders, returns string) []fsm.Shard {
	return []fsm.Shard{{ID: "%2F/orders", Role: orders}, {ID: "%2F/returns", Role: returns}}
}

// expect checks a report but for its state's reason, since the node's figures are late.
func expect(t *testing.T, p refresh.Prober, b *broker, shards []fsm.Shard) {
	t.Helper()
	r := p.Probe(t.Context(), b.target)
	want := fsm.Report{
		Node: b.target.Node, Reachable: true, State: fsm.StateUp, StateReason: r.StateReason, Kind: "rabbitmq",
		Version: r.Version, NodeID: b.name, ClusterID: "orders", Shards: shards,
	}
	if diff := cmp.Diff(want, r); diff != "" || !strings.Contains(r.Version, ".") {
		t.Errorf("report (-want +got):\n%s", diff)
	}
}

func rights(t *testing.T, b *broker) {
	b.put(t, "users/untagged", `{"password":"`+secrets["right"]+`","tags":""}`)
	b.put(t, "users/manager", `{"password":"`+secrets["right"]+`","tags":"management"}`)
	for name, config := range map[string]fsm.JSON{
		"wrong password": `{"username":"muster","password_file":"wrong"}`,
		"unknown user":   `{"username":"nobody","password_file":"right"}`,
		"no tag":         `{"username":"untagged","password_file":"right"}`,
		"another tag":    `{"username":"manager","password_file":"right"}`,
	} {
		r := start(t, config).Probe(t.Context(), b.target)
		if r.Reason != fsm.ReasonAuth || !strings.Contains(r.Detail, "set_user_tags USER monitoring") {
			t.Errorf("%s: report is %+v", name, r)
		}
		for _, secret := range secrets {
			if strings.Contains(r.Detail, secret) {
				t.Errorf("%s: the report holds the password: %s", name, r.Detail)
			}
		}
	}
}

func ports(t *testing.T, b *broker) {
	target := b.target
	target.Port = b.amqp
	config := fmt.Sprintf(`{"management_port":%d,%s}`, b.target.Port, login)
	if r := start(t, fsm.JSON(config)).Probe(t.Context(), target); r.NodeID != b.name {
		t.Errorf("with management_port: report is %+v", r)
	}
	r := start(t, "{"+login+"}").Probe(t.Context(), target)
	if r.Reason != fsm.ReasonProtocol || !strings.Contains(r.Detail, "is no management port") {
		t.Errorf("without management_port: report is %+v", r)
	}
}
