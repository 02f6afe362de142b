package fleet_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/musterhq/muster/agent/fleet"
	"github.com/musterhq/muster/fsm"
)

// replica is a state that entries are applied to, a second apart.
type replica struct {
	t     *testing.T
	state *fsm.State
	index uint64
	now   fsm.Time
}

func (r *replica) Read() *fsm.Reader { return r.state.Read() }
func (r *replica) Now() fsm.Time     { return r.now }

// ok applies one command that must be accepted.
func (r *replica) ok(c fsm.Command) fsm.Result {
	r.t.Helper()
	r.index++
	r.now += 1000
	applied, err := r.state.Apply(r.index, fsm.Entry(r.now, fsm.Frame(c)))
	if err != nil {
		r.t.Fatal(err)
	}
	if res := applied.Results[0]; res.Error != nil {
		r.t.Fatal(res.Error)
	}
	return applied.Results[0]
}

// claim grants the claim of one subject.
func (r *replica) claim(kind fsm.Kind, id uint64) *fsm.Claim {
	r.t.Helper()
	return r.ok(&fsm.ClaimGrant{Kind: kind, Peer: "p", TTL: fsm.Minute, Reason: fsm.WhyDue, IDs: []uint64{id}}).Claim
}

// told is what is gathered, one line for each sample without the common prefix.
func told(t *testing.T, g prometheus.Gatherer) (out []string) {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			line := strings.TrimPrefix(f.GetName(), "muster_fleet_")
			for _, l := range m.GetLabel() {
				line += " " + l.GetValue()
			}
			out = append(out, fmt.Sprintf("%s = %v", line, m.GetGauge().GetValue()))
		}
	}
	return out
}

// TestFleetIsTold: a fleet of two nodes, one of which has answered, with a discovery that has read well and a claim under way.
func TestFleetIsTold(t *testing.T) {
	r := &replica{t: t, state: fsm.NewState(), index: 10, now: 1_000_000}
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(fleet.New(r))
	r.ok(&fsm.GroupCreate{Group: "g", Epoch: "e"})
	spec := fsm.DefaultSpec()
	if spec.Backend = "file"; spec.Validate() != nil {
		t.Fatal("the setting is wrong")
	}
	r.ok(&fsm.DiscoveryApply{Name: "consul", Spec: spec, Cause: fsm.Cause{Kind: fsm.CauseOperator}})
	d := r.Read().Discovery("consul")
	run := r.claim(fsm.KindRun, d.ID)
	reading := fsm.Reading{Discovery: d.ID, Cluster: "orders", Now: run.Granted, Full: true, Records: []fsm.Record{
		{Cluster: "orders", Node: "orders-0", Address: "10.0.0.1", Port: 1}, {Cluster: "orders", Node: "orders-1", Address: "10.0.0.1", Port: 2},
	}}
	roll := &fsm.Roll{View: &fsm.View{Nodes: map[string]*fsm.Node{}}, Discoveries: map[uint64]*fsm.Discovery{d.ID: d}}
	r.ok(&fsm.RunComplete{
		Discovery: d.ID, Settings: d.Settings, Token: run.Token, Enrolments: []fsm.Enrolment{fsm.Enlist(roll, reading)},
		Outcome: &fsm.RunOutcome{Records: 2, Changed: true},
	})
	c := r.Read().Cluster("orders")
	refresh := r.claim(fsm.KindRefresh, c.ID)
	lag := int64(1500)
	facts, notes := fsm.Diff(r.Read().View(c.ID), r.Read().Schedule(refresh.Subject).Notes, fsm.Round{
		Now: refresh.Granted, Peer: "p", Full: true, Spec: fsm.DefaultRefresh(), Reports: []fsm.Report{
			{Node: "orders-0", Reachable: true, State: fsm.StateUp, Shards: []fsm.Shard{{ID: "0", Role: fsm.RoleReplica, LagMS: &lag}}},
			{Node: "orders-1", Reason: fsm.ReasonRefused},
		},
	})
	r.ok(&fsm.RefreshComplete{Cluster: c.ID, Token: refresh.Token, Last: true, Base: c.Index, Facts: facts, Notes: notes})
	r.claim(fsm.KindRun, d.ID)
	want := []string{
		"claims refresh = 0",
		"claims run = 1",
		"clusters degraded = 1",
		"clusters down = 0",
		"clusters healthy = 0",
		"clusters unknown = 0",
		"discovery_failing consul = 0",
		"discovery_held_nodes consul = 0",
		"discovery_interval_seconds consul = 60",
		"discovery_last_read_timestamp_seconds consul = 1003",
		"events_kept = 8",
		"events_oldest_timestamp_seconds = 1002",
		"lag_seconds = 1.5",
		"lagging_shards = 0",
		"nodes commissioned present reachable up = 1",
		"nodes commissioned present unknown unknown = 1",
		"oldest_view_timestamp_seconds = 1005",
		"overdue_clusters = 0",
		"overdue_seconds = 0",
		"unseen_clusters = 0",
	}
	if diff := cmp.Diff(want, told(t, reg)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
