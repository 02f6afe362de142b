package etcd_test

import (
	"context"
	"slices"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe/probetest"
)

func TestThreeMembers(t *testing.T) {
	probetest.Real(t)
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
	members := run(t, []string{"a", "b", "c"})
	p := start(t, "", loopback())
	reports := settle(t, p, members, led)
	ids := map[string]bool{}
	for _, r := range reports {
		if r.Kind != "etcd" || r.Version == "" || r.ClusterID != reports[0].ClusterID || r.Shards[0].Offset.Unit != "index" {
			t.Errorf("report is %+v", r)
		}
		ids[r.NodeID] = true
	}
	if len(ids) != 3 || reports[0].ClusterID == "" {
		t.Errorf("%d members among three: %v", len(ids), reports)
	}

	stopped(t, p, members, reports)
	learner(t, p, members)
	restarted(t, p, members)
	failover(t, p, members)
	majorityLost(t, p, members)
}

// stopped shows that a stopped member is a timeout, and that offsets tell how far each member has come.
func stopped(t *testing.T, p refresh.Prober, members []*member, reports []fsm.Report) {
	i := slices.Index(roles(reports), fsm.RoleReplica)
	behind := members[i]
	behind.Signal(t, syscall.SIGSTOP)
	was := reports[i].Shards[0].Offset.Value
	writer := members[(i+1)%3].admin(t)
	for range 50 {
		if _, err := writer.Put(t.Context(), "k", "v"); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if r := p.Probe(ctx, behind.target); r.Reason != fsm.ReasonTimeout {
		t.Errorf("stopped: report is %+v", r)
	}
	ahead := p.Probe(t.Context(), members[(i+1)%3].target).Shards[0].Offset.Value
	if ahead < was+50 {
		t.Errorf("after 50 writes the offset went from %d to %d", was, ahead)
	}
	behind.Signal(t, syscall.SIGCONT)
	settle(t, p, []*member{behind}, func(r []fsm.Report) bool {
		return r[0].Reachable && r[0].Shards[0].Offset.Value >= ahead
	})
}

func learner(t *testing.T, p refresh.Prober, members []*member) {
	d := plan(t, []string{"d"})[0]
	admin := members[0].admin(t)
	added, err := admin.MemberAddAsLearner(t.Context(), []string{d.peer})
	if err != nil {
		t.Fatal(err)
	}
	list := []string{"d=" + d.peer}
	for _, m := range members {
		list = append(list, m.target.Node+"="+m.peer)
	}
	d.configure(t, "existing", list)
	d.Start(t)
	d.Await(t, "serving client traffic")
	settle(t, p, []*member{d}, func(r []fsm.Report) bool { return roles(r)[0] == "learner" && r[0].State == fsm.StateUp })
	if _, err := admin.MemberRemove(t.Context(), added.Member.ID); err != nil {
		t.Fatal(err)
	}
}

// restarted shows that the ids stay, and that a connection which ended in good order is not mistaken for a dead member.
func restarted(t *testing.T, p refresh.Prober, members []*member) {
	reports := settle(t, p, members, led)
	i := slices.Index(roles(reports), fsm.RoleReplica)
	members[i].Stop(t, syscall.SIGTERM)
	if r := p.Probe(t.Context(), members[i].target); r.Reason != fsm.ReasonRefused {
		t.Errorf("stopped: report is %+v", r)
	}
	members[i].Start(t)
	members[i].Await(t, "serving client traffic")
	r := p.Probe(t.Context(), members[i].target)
	if !r.Reachable || r.NodeID != reports[i].NodeID || r.ClusterID != reports[i].ClusterID {
		t.Errorf("started again: report is %+v, it was %+v", r, reports[i])
	}
}

func TestMemberThatNeverHadALeader(t *testing.T) {
	probetest.Real(t)
	alone := plan(t, []string{"a", "b", "c"})[0]
	alone.Start(t)
	alone.Await(t, "starting a new election")
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if r := start(t, "", loopback()).Probe(ctx, alone.target); r.Reason != fsm.ReasonTimeout {
		t.Errorf("report is %+v", r)
	}
}
