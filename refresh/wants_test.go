package refresh_test

import (
	"testing"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

// list does a full run of a discovery that finds these nodes in cluster c0.
func (l *leader) list(name string, nodes ...string) {
	l.t.Helper()
	r := l.state.Read()
	d, cluster := r.Discovery(name), r.Cluster("c0")
	token := l.apply(&fsm.ClaimGrant{
		Kind: fsm.KindRun, Peer: "a", TTL: fsm.Minute, Reason: fsm.WhyAsked, IDs: []uint64{d.ID},
	}).Results[0].Claim.Token
	roll := &fsm.Roll{View: r.View(cluster.ID), Discoveries: map[uint64]*fsm.Discovery{}}
	for d := range r.Discoveries("") {
		roll.Discoveries[d.ID] = d
	}
	for x := range r.Listings(cluster.ID) {
		roll.Listings = append(roll.Listings, *x)
	}
	in := fsm.Reading{Discovery: d.ID, Cluster: "c0", Now: l.now().Time, Full: true}
	for i, n := range nodes {
		in.Records = append(in.Records, fsm.Record{Cluster: "c0", Node: n, Address: "127.0.0.1", Port: 1000 + i})
	}
	l.apply(&fsm.RunComplete{
		Discovery: d.ID, Settings: d.Settings, Token: token, Outcome: &fsm.RunOutcome{},
		Enrolments: []fsm.Enrolment{fsm.Enlist(roll, in)},
	})
}

// change applies a fact to cluster c0 as an operator does.
func (l *leader) change(f fsm.Fact) {
	l.t.Helper()
	c := l.state.Read().Cluster("c0")
	res := l.apply(&fsm.ClusterChange{
		Cause: fsm.Cause{Kind: fsm.CauseOperator}, Changes: []fsm.Change{{Cluster: c.ID, Base: c.Index, Facts: []fsm.Fact{f}}},
	}).Results[0]
	if res.Error != nil {
		l.t.Fatal(res.Error)
	}
}

// What a subject wants is kept from grant to grant, and is at every moment what a scheduler that begins would read.
func TestWantsFollowTheState(t *testing.T) {
	l := lead(t, 100, "a", "b")
	ids := l.read(3, 2)
	l.begin()
	second := 7 * fsm.Second
	spec := fsm.DefaultSpec()
	spec.Backend, spec.Refresh.Timeout = "file", 9*fsm.Second
	subject := fsm.Subject{Kind: fsm.KindRefresh, ID: ids[0]}
	run := fsm.Subject{Kind: fsm.KindRun, ID: l.state.Read().Discovery("d").ID}
	var before any
	for _, step := range []struct {
		name  string
		do    func()
		of    fsm.Subject
		moves bool
	}{
		{"rounds", func() { l.work(quarter) }, subject, false},
		{"the discovery's defaults", func() { l.respec(func(s *fsm.RefreshSpec) { s.Interval = fsm.Minute }) }, subject, true},
		{"the cluster's own settings", func() {
			l.change(fsm.Fact{
				Type: fsm.ClusterSettingsChanged, Before: &fsm.SettingsPart{},
				After: &fsm.SettingsPart{Refresh: &fsm.RefreshPatch{Interval: &second}},
			})
		}, subject, true},
		{"a node more", func() { l.list("d", "n0", "n1", "n2", "n3") }, subject, true},
		{"a node that is not polled", func() {
			n := l.state.Read().Node(ids[0], "n1")
			l.change(fsm.Fact{
				Type: fsm.NodeDecommissioned, Node: "n1", Before: &fsm.LifecyclePart{Lifecycle: n.Lifecycle},
				After: &fsm.LifecyclePart{Lifecycle: fsm.Decommissioned},
			})
		}, subject, true},
		{"a younger discovery", func() { l.apply(&fsm.DiscoveryApply{Name: "e", Spec: spec}); l.list("e", "n0") }, subject, false},
		{"the older lists none of it any more", func() { l.mono += second.Std(); l.list("d") }, subject, true},
		{"the discovery is to be deleted", func() { l.apply(&fsm.DiscoveryDelete{Name: "d"}) }, run, true},
	} {
		before = l.sched.Wants(step.of)
		step.do()
		after := l.sched.Wants(step.of)
		if moved := before != after; moved != step.moves {
			t.Errorf("%s: wanted was %+v, is %+v", step.name, before, after)
		}
		if fresh := refresh.NewScheduler(l.state.Read(), l.now()).Wants(step.of); after != fresh {
			t.Errorf("%s: the scheduler has %+v, one that begins %+v", step.name, after, fresh)
		}
	}
}
