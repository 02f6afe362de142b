package refresh_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

// wordy answers with so many shards that its cluster's completion takes several parts.
type wordy struct{}

func (wordy) Close() {}

func (wordy) Probe(_ context.Context, t refresh.Target) fsm.Report {
	r := fsm.Report{Node: t.Node, Reachable: true, State: fsm.StateUp, Kind: "k"}
	for i := range 200 {
		r.Shards = append(r.Shards, fsm.Shard{ID: fmt.Sprintf("%s-%03d", strings.Repeat("s", 40), i), Role: fsm.RoleReplica})
	}
	r.Bound()
	return r
}

// desk takes a worker's commands into the state of a leader, and lets something come before the second one.
type desk struct {
	*leader
	between func()
	claims  chan *fsm.Claim
	closed  chan struct{}
}

func (d *desk) Propose(_ context.Context, c fsm.Command) (fsm.Result, error) {
	if part, ok := c.(*fsm.RefreshComplete); ok && part.Part == 1 && d.between != nil {
		d.between()
		d.between = nil
	}
	res := d.apply(c).Results[0]
	if res.Closed {
		close(d.closed)
	}
	return res, nil
}

func (d *desk) Read() *fsm.Reader { return d.state.Read() }

func (d *desk) WaitIndex(context.Context, uint64) error { return nil }

func (d *desk) Take(ctx context.Context) ([]*fsm.Claim, error) {
	select {
	case c := <-d.claims:
		return []*fsm.Claim{c}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// A cluster that moves between two parts of a completion gets the rest of it: what is computed again goes on with the part
// that is wanted next.
func TestCompletionGoesOnAfterItsAcceptedParts(t *testing.T) {
	l := lead(t, 100, "a")
	id := l.read(20)[0]
	d := &desk{leader: l, claims: make(chan *fsm.Claim, 1), closed: make(chan struct{})}
	d.between = func() {
		c := l.state.Read().ClusterByID(id)
		l.apply(&fsm.ClusterChange{Changes: []fsm.Change{{Cluster: id, Base: c.Index, Facts: []fsm.Fact{{
			Type: fsm.ClusterSettingsChanged, Before: &fsm.SettingsPart{}, After: &fsm.SettingsPart{Settable: fsm.Settable{Group: "g"}},
		}}}}})
	}
	w, err := refresh.NewWorker(refresh.WorkerConfig{
		Claims: d, Log: d, Replica: d, Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(),
		Probers: refresh.Probers{Kinds: map[string]refresh.Maker{
			"sidecar": func(fsm.JSON, refresh.Env) (refresh.Asker, error) { return wordy{}, nil },
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	claim := l.apply(&fsm.ClaimGrant{
		Kind: fsm.KindRefresh, Peer: "a", TTL: 15 * fsm.Second, Reason: fsm.WhyDue, IDs: []uint64{id},
	}).Results[0].Claim
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	d.claims <- claim
	select {
	case <-d.closed:
	case <-time.After(10 * time.Second):
		t.Error("the claim was not closed by its completion")
	}
	cancel()
	<-ended
	if d.between != nil {
		t.Fatal("the completion had a single part")
	}
	r := l.state.Read()
	for n := range r.Nodes(id) {
		if len(n.Said.Shards) != 200 {
			t.Errorf("node %s has %d shards, want 200", n.ID, len(n.Said.Shards))
		}
	}
	if c := r.ClusterByID(id); c.Settings.Group != "g" || c.Health != fsm.HealthHealthy {
		t.Errorf("cluster: group %q, %s", c.Settings.Group, c.Health)
	}
}
