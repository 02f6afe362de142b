package nats_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	natsgo "github.com/nats-io/nats.go"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe/probetest"
)

// member is a real nats-server on loopback ports, one of a JetStream cluster.
type member struct {
	*probetest.Process
	name    string
	target  refresh.Target
	clients string // URL
}

// cluster makes members that know each other, or a single server; none is started.
func cluster(t *testing.T, names ...string) []*member {
	t.Helper()
	path := probetest.Program(t, "MUSTER_NATS", "nats-server", "/usr/sbin/nats-server")
	var routes []string
	for range names {
		routes = append(routes, fmt.Sprintf("127.0.0.1:%d", probetest.FreePort(t)))
	}
	members := make([]*member, len(names))
	for i, name := range names {
		dir, port, monitor := t.TempDir(), probetest.FreePort(t), probetest.FreePort(t)
		config := fmt.Sprintf("server_name: %s\nlisten: 127.0.0.1:%d\nhttp: 127.0.0.1:%d\n"+
			"jetstream: {store_dir: %q, max_mem: 16M, max_file: 64M}\n", name, port, monitor, dir)
		if len(names) > 1 {
			config += fmt.Sprintf("cluster: {name: east, listen: %q, no_advertise: true, routes: [\"nats://%s\"]}\n",
				routes[i], strings.Join(routes, `","nats://`))
		}
		file := filepath.Join(dir, "nats.conf")
		if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		members[i] = &member{
			Process: &probetest.Process{Path: path, Args: []string{"-c", file}}, name: name,
			target:  refresh.Target{Cluster: "east", Node: name, Address: "127.0.0.1", Port: monitor},
			clients: fmt.Sprintf("nats://127.0.0.1:%d", port),
		}
	}
	return members
}

func (m *member) start(t *testing.T) {
	t.Helper()
	m.Start(t)
	m.Await(t, "Server is ready")
}

// until polls on a beat until a report holds, and fails the test when that takes longer than a minute.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	limit, beat := time.NewTimer(time.Minute), time.NewTicker(50*time.Millisecond)
	defer limit.Stop()
	defer beat.Stop()
	for !holds() {
		select {
		case <-beat.C:
		case <-limit.C:
			t.Fatalf("never: %s", what)
		}
	}
}

// role is that of a shard, checking all else that every answer of a healthy member holds.
func role(t *testing.T, p refresh.Prober, m *member, shard string) string {
	t.Helper()
	r := p.Probe(t.Context(), m.target)
	if !r.Reachable || r.Kind != "nats" || !strings.HasPrefix(r.Version, "2.") || r.NodeID != m.name ||
		r.ClusterID != "east" || r.Attributes["jetstream"] != "clustered" {
		t.Fatalf("report is %+v", r)
	}
	for _, s := range r.Shards {
		if s.ID == shard && r.State == fsm.StateUp {
			return s.Role
		}
	}
	return ""
}

// led waits until one of the members is the primary of a shard and all others are replicas, and gives that one first.
func led(t *testing.T, p refresh.Prober, shard string, members ...*member) []*member {
	t.Helper()
	var first, rest []*member
	until(t, "one primary of "+shard, func() bool {
		first, rest = nil, nil
		for _, m := range members {
			switch role(t, p, m, shard) {
			case fsm.RolePrimary:
				first = append(first, m)
			case fsm.RoleReplica:
				rest = append(rest, m)
			}
		}
		return len(first) == 1 && len(rest) == len(members)-1
	})
	return append(first, rest...)
}

func TestMetaLeader(t *testing.T) {
	probetest.Real(t)
	all := cluster(t, "n1", "n2", "n3")
	p := start(t, `{"streams":true}`)
	all[0].start(t)
	var r fsm.Report
	until(t, "its routes to be open", func() bool {
		r = p.Probe(t.Context(), all[0].target)
		return r.StateReason != "starting"
	})
	if r.State != fsm.StateJoining || r.StateReason != "no_meta_leader" ||
		len(r.Shards) != 1 || r.Shards[0].Role != fsm.RoleReplica {
		t.Errorf("alone: report is %+v", r)
	}
	all[1].start(t)
	all[2].start(t)
	all = led(t, p, "_meta_", all...)

	store(t, all[0].clients)
	held := led(t, p, "$G/ORDERS", all...)
	r = p.Probe(t.Context(), held[0].target)
	if s := r.Shards[0]; s.ID != "$G/ORDERS" || s.Offset == nil || s.Offset.Value != 3 {
		t.Errorf("the stream's leader reports %+v", r.Shards)
	}

	failover(t, p, all)
}

// store makes a stream of three replicas with three messages.
func store(t *testing.T, url string) {
	t.Helper()
	conn, err := natsgo.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	js, err := conn.JetStream(natsgo.MaxWait(20 * time.Second))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.AddStream(&natsgo.StreamConfig{Name: "ORDERS", Subjects: []string{"orders"}, Replicas: 3}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := js.Publish("orders", []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLameDuck(t *testing.T) {
	probetest.Real(t)
	m := cluster(t, "n1")[0]
	m.start(t)
	p := start(t, "")
	r := p.Probe(t.Context(), m.target)
	if r.State != fsm.StateUp || r.Attributes["jetstream"] != "single" || len(r.Shards) != 0 {
		t.Errorf("alone: report is %+v", r)
	}
	conn, err := natsgo.Connect(m.clients, natsgo.NoReconnect())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	m.Signal(t, syscall.SIGUSR2)
	m.Await(t, "Entering lame duck mode")
	until(t, "leaving", func() bool {
		r := p.Probe(t.Context(), m.target)
		return r.State == fsm.StateLeaving && r.StateReason == "lame_duck"
	})
}

func TestPortOfClients(t *testing.T) {
	probetest.Real(t)
	m := cluster(t, "n1")[0]
	m.start(t)
	monitor := m.target.Port
	if _, err := fmt.Sscanf(m.clients, "nats://127.0.0.1:%d", &m.target.Port); err != nil {
		t.Fatal(err)
	}
	r := start(t, fsm.JSON(fmt.Sprintf(`{"monitor_port":%d}`, monitor))).Probe(t.Context(), m.target)
	if r.State != fsm.StateUp || r.NodeID != "n1" {
		t.Errorf("with monitor_port: report is %+v", r)
	}
	r = start(t, "").Probe(t.Context(), m.target)
	if r.Reason != fsm.ReasonProtocol || !strings.Contains(r.Detail, "is no monitoring port of a NATS server") {
		t.Errorf("without monitor_port: report is %+v", r)
	}
}
