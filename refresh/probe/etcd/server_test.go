package etcd_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/poll"
	"github.com/musterhq/muster/refresh/probe/probetest"
)

// member is a real etcd on loopback ports.
type member struct {
	*probetest.Process
	target refresh.Target
	peer   string // URL
}

// plan makes members that are to form one cluster, with nothing started. options go to each.
func plan(t *testing.T, names []string, options ...string) []*member {
	t.Helper()
	var members []*member
	var list []string
	for _, name := range names {
		m := &member{
			target: refresh.Target{Cluster: "keys", Node: name, Address: "127.0.0.1", Port: probetest.FreePort(t)},
			peer:   fmt.Sprintf("http://127.0.0.1:%d", probetest.FreePort(t)),
		}
		members = append(members, m)
		list = append(list, name+"="+m.peer)
	}
	for _, m := range members {
		m.configure(t, "new", list, options...)
	}
	return members
}

func (m *member) configure(t *testing.T, state string, list []string, options ...string) {
	t.Helper()
	client := "http://" + m.target.HostPort()
	for _, o := range options {
		if strings.HasPrefix(o, "--cert-file") {
			client = "https://" + m.target.HostPort()
		}
	}
	m.Process = &probetest.Process{
		Path: probetest.Program(t, "MUSTER_ETCD", "etcd"),
		Args: append([]string{
			"--name", m.target.Node, "--data-dir", filepath.Join(t.TempDir(), "data"), "--logger", "zap",
			"--log-outputs", "stderr", "--heartbeat-interval", "50", "--election-timeout", "500",
			"--strict-reconfig-check=false", // else no member is added in the first five seconds
			"--listen-client-urls", client, "--advertise-client-urls", client,
			"--listen-peer-urls", m.peer, "--initial-advertise-peer-urls", m.peer,
			"--initial-cluster", strings.Join(list, ","), "--initial-cluster-state", state,
		}, options...),
	}
}

// run plans a cluster, starts it and waits until it has a leader.
func run(t *testing.T, names []string, options ...string) []*member {
	t.Helper()
	members := plan(t, names, options...)
	for _, m := range members {
		m.Start(t)
	}
	for _, m := range members {
		m.Await(t, "serving client traffic")
	}
	return members
}

func (m *member) admin(t *testing.T) *clientv3.Client {
	t.Helper()
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{m.target.HostPort()}, Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func loopback() refresh.Env {
	return refresh.Env{Dial: poll.NewDialer(poll.Rules{AllowLoopback: true}).Dial, Reveal: reveal}
}

// settle polls members until what they say is as wanted, and gives their reports.
func settle(t *testing.T, p refresh.Prober, members []*member, as func([]fsm.Report) bool) []fsm.Report {
	t.Helper()
	targets := make([]refresh.Target, 0, len(members))
	for _, s := range members {
		targets = append(targets, s.target)
	}
	return probetest.Settle(t, p, targets, as)
}

// roles are the roles in the order of the reports; "" for one that holds no shard "0".
func roles(reports []fsm.Report) []string {
	var out []string
	for _, r := range reports {
		if len(r.Shards) == 1 && r.Shards[0].ID == "0" {
			out = append(out, r.Shards[0].Role)
		} else {
			out = append(out, "")
		}
	}
	return out
}

// led says that one leads and all others follow it.
func led(reports []fsm.Report) bool {
	primaries, replicas := 0, 0
	for i, role := range roles(reports) {
		switch {
		case reports[i].State != fsm.StateUp:
			return false
		case role == fsm.RolePrimary:
			primaries++
		case role == fsm.RoleReplica:
			replicas++
		}
	}
	return primaries == 1 && primaries+replicas == len(reports)
}
