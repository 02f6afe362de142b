package zookeeper_test

import (
	"context"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"go.uber.org/goleak"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe/probetest"
)

func TestEnsemble(t *testing.T) {
	probetest.Real(t)
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
	servers := plan(t, []string{"a", "b", "c", "observer"})
	p := start(t, "", loopback())

	servers[0].listens(t)
	r := p.Probe(t.Context(), servers[0].target)
	if !r.Reachable || r.State != fsm.StateDown || r.StateReason != "not_serving" || role(r) != "looking" {
		t.Errorf("before there is a quorum: report is %+v", r)
	}
	for _, s := range servers[1:] {
		s.listens(t)
	}
	for i, r := range settle(t, p, servers, led) {
		if r.Kind != "zookeeper" || r.Version == "" || r.Shards[0].Offset == nil || r.Shards[0].Offset.Unit != "zxid" {
			t.Errorf("report is %+v", r)
		}
		if (role(r) == "observer") != (servers[i].target.Node == "observer") {
			t.Errorf("%s is %s", servers[i].target.Node, role(r))
		}
	}

	stopped(t, p, servers)
	failover(t, p, servers)
	quorumLost(t, p, servers)
}

// stopped shows that a stopped server is a timeout, and that offsets tell how far each server has come.
func stopped(t *testing.T, p refresh.Prober, servers []*server) {
	reports := settle(t, p, servers, led)
	i := slices.IndexFunc(reports, func(r fsm.Report) bool { return role(r) == fsm.RoleReplica })
	behind, other := servers[i], servers[(i+1)%3]
	was := reports[i].Shards[0].Offset.Value
	behind.Signal(t, syscall.SIGSTOP)
	set(t, other, 50)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if r := p.Probe(ctx, behind.target); r.Reason != fsm.ReasonTimeout {
		t.Errorf("stopped: report is %+v", r)
	}
	ahead := p.Probe(t.Context(), other.target).Shards[0].Offset.Value
	if ahead < was+50 {
		t.Errorf("after 50 writes the offset went from %d to %d", was, ahead)
	}
	behind.Signal(t, syscall.SIGCONT)
	settle(t, p, []*server{behind}, func(r []fsm.Report) bool {
		return r[0].State == fsm.StateUp && r[0].Shards[0].Offset.Value >= ahead
	})
}

type silent struct{}

func (silent) Printf(string, ...any) {}

// set writes to a server, n times.
func set(t *testing.T, s *server, n int) {
	t.Helper()
	conn, _, err := zk.Connect([]string{s.target.HostPort()}, 10*time.Second, zk.WithLogger(silent{}))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Create("/k", nil, 0, zk.WorldACL(zk.PermAll)); err != nil {
		t.Fatal(err)
	}
	for range n {
		if _, err := conn.Set("/k", []byte("v"), -1); err != nil {
			t.Fatal(err)
		}
	}
}

// The word is allowed whatever the list of allowed ones says, since ZooKeeper's own scripts need it.
func TestAlone(t *testing.T) {
	probetest.Real(t)
	s := plan(t, []string{"a"}, "4lw.commands.whitelist=ruok")[0]
	s.listens(t)
	settle(t, start(t, "", loopback()), []*server{s}, func(r []fsm.Report) bool {
		return r[0].State == fsm.StateUp && role(r[0]) == fsm.RolePrimary
	})
}
