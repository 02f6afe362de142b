package fsm_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/fsm"
)

// TestTally counts a fleet again and again while all that is counted changes; a tally that has counted before says the same
// as one that has not.
func TestTally(t *testing.T) {
	l, old := newLog(t), new(fsm.Tally)
	count := func() fsm.Fleet {
		t.Helper()
		f := old.Count(l.state.Read(), l.now)
		if diff := cmp.Diff(new(fsm.Tally).Count(l.state.Read(), l.now), f); diff != "" {
			t.Fatalf("counting again is not like counting anew:\n%s", diff)
		}
		return f
	}
	if diff := cmp.Diff(fsm.Fleet{Health: map[string]int{}, Nodes: map[fsm.NodeWords]int{}}, count()); diff != "" {
		t.Errorf("an empty fleet:\n%s", diff)
	}

	d := l.discovery("consul")
	c := l.cluster(d, "orders", "orders-0", "orders-1")
	fresh := fsm.NodeWords{Presence: fsm.Present, Lifecycle: fsm.Commissioned, Reach: fsm.StateUnknown, State: fsm.StateUnknown}
	if f := count(); f.Nodes[fresh] != 2 || f.Health[fsm.HealthUnknown] != 1 || f.Unseen != 1 || f.Oldest != 0 {
		t.Errorf("a cluster that was never asked: %+v", f)
	}

	l.now += fsm.Time(2 * fsm.DefaultRefresh().Interval)
	l.entry()
	claim := l.claim(fsm.KindRefresh, c.ID, fsm.WhyDue)
	if f := count(); f.Refreshes != 1 || f.Runs != 0 || f.Overdue != 0 {
		t.Errorf("an open claim: %+v", f)
	}
	l.ok(l.round(claim, answers(l.state.Read(), c.ID)...))
	well := fsm.NodeWords{Presence: fsm.Present, Lifecycle: fsm.Commissioned, Reach: fsm.Reachable, State: fsm.StateUp}
	f := count()
	if f.Nodes[well] != 2 || f.Nodes[fresh] != 0 || f.Health[fsm.HealthHealthy] != 1 || f.Unseen != 0 || f.Refreshes != 0 {
		t.Errorf("a cluster that has answered: %+v", f)
	}
	if f.Oldest != claim.Granted || f.Lag != 12 || f.Lagging != 0 || f.Overdue != 0 {
		t.Errorf("its view is of %d and its lag %d ms: %+v", claim.Granted, 12, f)
	}

	l.now += fsm.Time(3 * fsm.DefaultRefresh().Interval)
	if f := count(); f.Overdue != 1 || f.OverdueFor < fsm.DefaultRefresh().Interval {
		t.Errorf("a cluster for which no peer came: %+v", f)
	}
	asked, unasked := d.Spec, d.Spec
	unasked.Refresh.Enabled = false
	for _, step := range []struct {
		spec    fsm.Spec
		overdue int
	}{{unasked, 0}, {asked, 1}} {
		l.ok(&fsm.DiscoveryApply{Name: d.Name, Spec: step.spec, Cause: fsm.Cause{Kind: fsm.CauseOperator}})
		if f := count(); f.Overdue != step.overdue {
			t.Errorf("its discovery has clusters refreshed (%t): %+v", step.spec.Refresh.Enabled, f)
		}
	}
	d = l.state.Read().Discovery(d.Name)
	off := false
	c = l.state.Read().ClusterByID(c.ID)
	l.ok(&fsm.ClusterChange{Changes: []fsm.Change{{Cluster: c.ID, Base: c.Index, Facts: []fsm.Fact{{
		Type: fsm.ClusterSettingsChanged, Before: &fsm.SettingsPart{}, After: &fsm.SettingsPart{Refresh: &fsm.RefreshPatch{Enabled: &off}},
	}}}}})
	if f := count(); f.Overdue != 0 || f.Oldest != 0 {
		t.Errorf("a cluster that is not refreshed any more: %+v", f)
	}

	l.cluster(d, "billing", "billing-0")
	if f := count(); f.Health[fsm.HealthUnknown] != 1 || f.Nodes[fresh] != 1 || f.Unseen != 1 {
		t.Errorf("a second cluster: %+v", f)
	}
	l.ok(&fsm.ClusterChange{Changes: []fsm.Change{l.forget("billing", "billing-0")}})
	if f := count(); f.Health[fsm.HealthUnknown] != 0 || f.Nodes[fresh] != 0 || f.Unseen != 0 {
		t.Errorf("it is gone: %+v", f)
	}
}

// TestTallyAddsUp counts clusters whose nodes are alike, and of which the first and the first of its nodes lags most.
func TestTallyAddsUp(t *testing.T) {
	l, old := newLog(t), new(fsm.Tally)
	d := l.discovery("consul")
	lags := map[string]int64{"orders-0": 50_000, "orders-2": 40_000, "billing-1": 45_000}
	for _, nodes := range [][]string{{"orders-0", "orders-1", "orders-2"}, {"billing-0", "billing-1"}} {
		name, _, _ := strings.Cut(nodes[0], "-")
		c := l.cluster(d, name, nodes...)
		reports := answers(l.state.Read(), c.ID)
		for i := range reports {
			if lag, lags := lags[reports[i].Node]; lags {
				reports[i].Shards[0].LagMS = &lag
			}
		}
		l.ok(l.round(l.claim(fsm.KindRefresh, c.ID, fsm.WhyDue), reports...))
		old.Count(l.state.Read(), l.now)
	}
	l.cluster(d, "new", "new-0", "new-1")
	l.cluster(d, "newer", "newer-0")
	words := fsm.NodeWords{Presence: fsm.Present, Lifecycle: fsm.Commissioned, Reach: fsm.Reachable, State: fsm.StateUp}
	fresh := words
	fresh.Reach, fresh.State = fsm.StateUnknown, fsm.StateUnknown
	for name, tally := range map[string]*fsm.Tally{"counted before": old, "anew": {}} {
		f := tally.Count(l.state.Read(), l.now)
		if diff := cmp.Diff(map[fsm.NodeWords]int{words: 5, fresh: 3}, f.Nodes); diff != "" {
			t.Errorf("%s, nodes (-want +got):\n%s", name, diff)
		}
		if diff := cmp.Diff(map[string]int{fsm.HealthDegraded: 2, fsm.HealthUnknown: 2}, f.Health); diff != "" {
			t.Errorf("%s, clusters (-want +got):\n%s", name, diff)
		}
		if f.Lagging != 3 || f.Lag != 50*fsm.Second || f.Unseen != 2 {
			t.Errorf("%s: %d shards lag, by %s at most; %d clusters were never asked", name, f.Lagging, f.Lag, f.Unseen)
		}
	}
}

// BenchmarkTally counts 100,000 nodes in 10,000 clusters of which none changed since, as most scrapes do.
func BenchmarkTally(b *testing.B) {
	const clusters, nodes = 10_000, 10
	l, t := discovered(b, clusters, nodes), new(fsm.Tally)
	t.Count(l.state.Read(), l.now)
	for b.Loop() {
		t.Count(l.state.Read(), l.now)
	}
}

// BenchmarkTallyFirst is the first count of a peer.
func BenchmarkTallyFirst(b *testing.B) {
	const clusters, nodes = 10_000, 10
	l := discovered(b, clusters, nodes)
	for b.Loop() {
		new(fsm.Tally).Count(l.state.Read(), l.now)
	}
}
