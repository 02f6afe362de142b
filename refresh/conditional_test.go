package refresh_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

// village is nodes that each say what they are told to, with a tag that stands for it.
type village struct {
	mu    sync.Mutex
	says  map[string]fsm.Report    // by node; others are well and up
	tags  map[string]string        // by node; others have "t"
	lags  map[string]int64         // what a 304 says of lag
	takes map[string]time.Duration // by node; others answer at once
	asked []string                 // since the last look: the node, and the tag it was asked with
}

func (*village) Close() {}

// Probe is refresh.Prober's.
func (v *village) Probe(ctx context.Context, t refresh.Target) fsm.Report {
	return v.ProbeIf(ctx, t, "").Report
}

// ProbeIf is refresh.Conditional's.
func (v *village) ProbeIf(ctx context.Context, t refresh.Target, etag string) refresh.Answer {
	v.mu.Lock()
	v.asked = append(v.asked, t.Node+" "+etag)
	takes := v.takes[t.Node]
	v.mu.Unlock()
	if takes > 0 {
		select {
		case <-ctx.Done():
			return refresh.Answer{Report: t.Failed(context.Cause(ctx))}
		case <-time.After(takes):
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	report, ok := v.says[t.Node]
	if !ok {
		report = wellReport(t)
	}
	report.Node = t.Node
	tag, ok := v.tags[t.Node]
	if !ok {
		tag = "t"
	}
	if etag != "" && etag == tag && report.Reachable {
		a := refresh.Answer{Report: fsm.Report{Node: t.Node}, ETag: tag, NotModified: true}
		if ms, ok := v.lags[t.Node]; ok {
			a.WorstLagMS = &ms
		}
		return a
	}
	return refresh.Answer{Report: report, ETag: tag}
}

// heard is whom the worker has asked since the last look.
func (v *village) heard() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	out := slices.Sorted(slices.Values(v.asked))
	v.asked = nil
	return out
}

func (v *village) say(node, tag string, change func(*fsm.Report)) {
	v.mu.Lock()
	defer v.mu.Unlock()
	r := fsm.Report{Reachable: true, State: fsm.StateUp}
	change(&r)
	if v.says == nil {
		v.says, v.tags = map[string]fsm.Report{}, map[string]string{}
	}
	v.says[node], v.tags[node] = r, tag
}

// round has the worker do a round of each cluster and returns what it sent.
func (b *bench) round(ids ...uint64) []fsm.Command {
	b.t.Helper()
	b.grant(ids...)
	return b.settle(10 * time.Second)
}

func expectAsked(t *testing.T, v *village, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, v.heard()); diff != "" {
		t.Fatalf("asked (-want +got):\n%s", diff)
	}
}

func expectUnchanged(t *testing.T, sent []fsm.Command) {
	t.Helper()
	if len(sent) != 1 {
		t.Fatalf("%d commands", len(sent))
	}
	if _, ok := sent[0].(*fsm.RefreshUnchanged); !ok {
		t.Fatalf("sent %+v", sent[0])
	}
}

func expectFacts(t *testing.T, sent []fsm.Command, want ...string) {
	t.Helper()
	var got []string
	for _, c := range sent {
		if c, ok := c.(*fsm.RefreshComplete); ok {
			for _, f := range c.Facts {
				got = append(got, string(f.Type)+" "+f.Node)
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("facts (-want +got):\n%s", diff)
	}
}

// Nodes are asked by their tags only where a round that changed nothing was told them, and the cluster stands as it did then.
func TestTagsAreOfTheVersionThatWasCompared(t *testing.T) {
	v := &village{}
	atWork(t, v, []int{2}, func(t *testing.T, b *bench, ids []uint64) {
		b.round(ids...) // the first answers
		expectAsked(t, v, "n0 ", "n1 ")
		expectUnchanged(t, b.round(ids...))
		expectAsked(t, v, "n0 ", "n1 ")
		for range 3 {
			expectUnchanged(t, b.round(ids...))
			expectAsked(t, v, "n0 t", "n1 t")
		}
		b.mu.Lock()
		index := b.state.Read().ClusterByID(ids[0]).Index
		b.apply(&fsm.ClusterChange{Changes: []fsm.Change{{Cluster: ids[0], Base: index, Facts: []fsm.Fact{{
			Type: fsm.ClusterSettingsChanged, Before: &fsm.SettingsPart{}, After: &fsm.SettingsPart{Settable: fsm.Settable{Group: "g"}},
		}}}}})
		b.mu.Unlock()
		expectUnchanged(t, b.round(ids...))
		expectAsked(t, v, "n0 ", "n1 ")
		expectUnchanged(t, b.round(ids...))
		expectAsked(t, v, "n0 t", "n1 t")
		b.respec(func(s *fsm.RefreshSpec) { s.LagLimit = fsm.Second })
		b.round(ids...)
		expectAsked(t, v, "n0 ", "n1 ")
	})
}

// When one says something else, the others are asked for their reports, and all is compared.
func TestOneSaysSomethingElse(t *testing.T) {
	v := &village{}
	atWork(t, v, []int{3}, func(t *testing.T, b *bench, ids []uint64) {
		b.round(ids...)
		b.round(ids...)
		v.heard()
		v.say("n1", "u", func(r *fsm.Report) { r.Version = "2" })
		expectFacts(t, b.round(ids...), "node.info_changed n1", "cluster.versions_uniform ")
		expectAsked(t, v, "n0 ", "n0 t", "n1 t", "n2 ", "n2 t")
		expectUnchanged(t, b.round(ids...))
		expectAsked(t, v, "n0 ", "n1 ", "n2 ")
		expectUnchanged(t, b.round(ids...))
		expectAsked(t, v, "n0 t", "n1 u", "n2 t")
		// One whose tag moves though nothing changes costs its neighbours one poll, not one each round.
		v.say("n1", "w", func(r *fsm.Report) { r.Version = "2" })
		expectUnchanged(t, b.round(ids...))
		expectAsked(t, v, "n0 ", "n0 t", "n1 u", "n2 ", "n2 t")
		expectUnchanged(t, b.round(ids...))
		expectAsked(t, v, "n0 ", "n1 ", "n2 ")
	})
}

// A cluster that moves while its nodes say that nothing has changed is compared, with their reports.
func TestMovedWhileNothingChanged(t *testing.T) {
	v := &village{takes: map[string]time.Duration{"n0": time.Second}}
	atWork(t, v, []int{2}, func(t *testing.T, b *bench, ids []uint64) {
		b.round(ids...)
		b.round(ids...)
		v.heard()
		b.grant(ids...)
		b.settle(time.Second / 2)
		b.mu.Lock()
		index := b.state.Read().ClusterByID(ids[0]).Index
		b.apply(&fsm.ClusterChange{Changes: []fsm.Change{{Cluster: ids[0], Base: index, Facts: []fsm.Fact{{
			Type: fsm.NodeDown, Node: "n1",
			Before: &fsm.StatePart{State: fsm.StateUp, Since: b.state.Read().Node(ids[0], "n1").State.Since},
			After:  &fsm.StatePart{State: fsm.StateDown, Since: 1_000_000_001},
		}}}}})
		b.mu.Unlock()
		if n := b.state.Read().Node(ids[0], "n1"); n.State.Value != fsm.StateDown {
			t.Fatalf("n1 is %+v", n.State)
		}
		b.settle(10 * time.Second)
		expectAsked(t, v, "n0 ", "n0 t", "n1 ", "n1 t")
		if n := b.state.Read().Node(ids[0], "n1"); n.State.Value != fsm.StateUp {
			t.Errorf("n1 is %+v", n.State)
		}
	})
}

// A lag near the limit is looked at in full: a tag does not cover it.
func TestLagIsNotCoveredByATag(t *testing.T) {
	v := &village{lags: map[string]int64{"n0": 100}}
	lag := func(ms int64) func(*fsm.Report) {
		return func(r *fsm.Report) {
			r.Shards = []fsm.Shard{{ID: "0", Role: fsm.RoleReplica, LagMS: &ms}}
		}
	}
	atWork(t, v, []int{2}, func(t *testing.T, b *bench, ids []uint64) {
		v.say("n0", "t", lag(100))
		b.round(ids...)
		b.round(ids...)
		v.heard()
		expectUnchanged(t, b.round(ids...))
		expectAsked(t, v, "n0 t", "n1 t")
		v.say("n0", "t", lag(31_000))
		v.lags["n0"] = 31_000
		expectFacts(t, b.round(ids...), "shard.lag_high n0", "cluster.health_changed ")
		expectAsked(t, v, "n0 ", "n0 t", "n1 ", "n1 t")
		v.say("n0", "t", lag(25_000)) // below the limit, and not well yet
		for range 3 {
			expectUnchanged(t, b.round(ids...))
			expectAsked(t, v, "n0 ", "n1 ")
		}
		v.say("n0", "t", lag(20_000))
		expectFacts(t, b.round(ids...), "shard.lag_ok n0", "cluster.health_changed ")
	})
}

// A node that stays dead does not keep the others from being asked by their tags; that it fails in another way is told.
func TestTagsBesideADeadNode(t *testing.T) {
	v := &village{}
	atWork(t, v, []int{3}, func(t *testing.T, b *bench, ids []uint64) {
		b.round(ids...)
		dead := func(reason string) func(*fsm.Report) {
			return func(r *fsm.Report) { *r = fsm.Report{Reason: reason} }
		}
		v.say("n2", "", dead(fsm.ReasonRefused))
		b.respec(func(s *fsm.RefreshSpec) { s.DownAfter = 1 })
		expectFacts(t, b.round(ids...), "node.unreachable n2", "cluster.health_changed ")
		expectUnchanged(t, b.round(ids...))
		v.heard()
		expectUnchanged(t, b.round(ids...))
		expectAsked(t, v, "n0 t", "n1 t", "n2 ")
		v.say("n2", "", dead(fsm.ReasonReset))
		expectFacts(t, b.round(ids...), "node.unreachable n2")
		expectUnchanged(t, b.round(ids...))
		v.say("n2", "x", func(*fsm.Report) {})
		expectFacts(t, b.round(ids...), "node.reachable n2", "cluster.health_changed ")
	})
}

// Who asks what the nodes say now gets what they say, not that it is the same.
func TestLiveIsAskedInFull(t *testing.T) {
	v := &village{}
	atWork(t, v, []int{2}, func(t *testing.T, b *bench, ids []uint64) {
		b.round(ids...)
		b.round(ids...)
		v.heard()
		reports, err := b.worker.Live(t.Context(), "c0")
		if err != nil || len(reports) != 2 || !reports[0].Reachable || reports[1].State != fsm.StateUp {
			t.Errorf("live: %+v, %v", reports, err)
		}
		expectAsked(t, v, "n0 ", "n1 ")
	})
}
