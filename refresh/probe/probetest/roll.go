package probetest

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

// Roll is the view of one cluster as a group of peers would hold it: rounds of a prober over the cluster's nodes, compared
// and folded by the rules that hold everywhere. With it a kind's test says what a change of the real servers is told as.
type Roll struct {
	Targets []refresh.Target
	View    *fsm.View
	Told    []fsm.Fact // all facts so far

	prober refresh.Asker
	notes  *fsm.Notes
	now    fsm.Time
}

// NewRoll makes the roll of commissioned nodes of which nothing is known yet.
func NewRoll(prober refresh.Asker, targets ...refresh.Target) *Roll {
	v := &fsm.View{Cluster: &fsm.Cluster{ID: 1, Name: "orders", Health: fsm.HealthUnknown}, Nodes: map[string]*fsm.Node{}}
	for _, t := range targets {
		v.Nodes[t.Node] = &fsm.Node{
			Cluster: 1, ID: t.Node, Presence: fsm.Present, Lifecycle: fsm.Commissioned,
			Endpoint: fsm.Endpoint{Address: t.Address, Port: t.Port},
		}
	}
	return &Roll{Targets: targets, View: v, prober: prober, now: fsm.Time(time.Hour.Milliseconds())}
}

// Round asks all nodes at once, and returns what that changed.
func (r *Roll) Round(t testing.TB) []fsm.Fact {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	spec := fsm.DefaultRefresh()
	spec.DownAfter = 1
	facts, notes := fsm.Diff(r.View, r.notes, fsm.Round{
		Now: r.now, Observed: r.now - 1, Peer: "p", Full: true, Alone: true, Spec: spec, Reports: r.ask(ctx, t),
	})
	if err := fsm.FoldAll(r.View, facts); err != nil {
		t.Fatal(err)
	}
	r.notes, r.now, r.Told = notes, r.now.Add(30*fsm.Second), append(r.Told, facts...)
	return facts
}

func (r *Roll) ask(ctx context.Context, t testing.TB) []fsm.Report {
	t.Helper()
	if all, ok := r.prober.(refresh.ClusterProber); ok {
		reports, err := all.ProbeCluster(ctx, r.Targets)
		if err != nil {
			t.Fatal(err)
		}
		return reports
	}
	reports := make([]fsm.Report, len(r.Targets))
	var polls sync.WaitGroup
	for i, target := range r.Targets {
		polls.Go(func() { reports[i] = r.prober.(refresh.Prober).Probe(ctx, target) })
	}
	polls.Wait()
	return reports
}

// Until makes rounds until the view is as wanted: servers take their time to agree, and each round is a look at them. It
// returns the types of the facts told meanwhile that are about who leads.
func (r *Roll) Until(t testing.TB, what string, wanted func(*fsm.View) bool) []fsm.EventType {
	t.Helper()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	told := len(r.Told)
	for {
		r.Round(t)
		if wanted(r.View) {
			return aboutLeaders(r.Told[told:])
		}
		select {
		case <-look.C:
		case <-limit.C:
			t.Fatalf("%s does not come about; the view is %+v", what, r.View.Nodes)
		}
	}
}

// Leader is the node that leads a shard as the view has it, empty while none does.
func (r *Roll) Leader(shard string) string {
	if p := r.View.Cluster.Primary(shard); p != nil && p.State == "" {
		return p.Node
	}
	return ""
}

func aboutLeaders(facts []fsm.Fact) []fsm.EventType {
	var out []fsm.EventType
	for _, f := range facts {
		if slices.Contains([]fsm.EventType{
			fsm.ShardPrimaryChanged, fsm.ShardPrimaryLost, fsm.ShardPrimaryRestored, fsm.ShardPrimaryDuplicate,
		}, f.Type) {
			out = append(out, f.Type)
		}
	}
	return out
}
