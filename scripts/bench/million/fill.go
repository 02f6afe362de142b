package million

import (
	"context"
	"fmt"
	"iter"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/musterhq/muster/fsm"
)

// What the fill puts into one entry: a part of a run has some 64 KiB, and completions with facts are coalesced.
const (
	enlisted  = 400  // nodes
	completed = 400  // nodes
	granted   = 2048 // claims
)

// fill brings in the peers and clusters, has every node answer once and every cluster be found unchanged as often as is
// remembered, and keeps no events. All of it happens at one logical time, so that the clusters are next due at their slots.
func (g *Group) fill(ctx context.Context) error {
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // half of the work would be to look at what stays
	commands := []fsm.Command{&fsm.GroupCreate{Group: "g", Epoch: "e"}}
	for i := range g.Peers {
		id := fmt.Sprintf("01J%023d", i)
		g.ids = append(g.ids, id)
		commands = append(commands, &fsm.PeerSet{Peer: fsm.Peer{ID: id, Name: fmt.Sprintf("peer-%d", i), Status: fsm.PeerAlive}})
	}
	commands = append(commands, &fsm.LeaderChange{ID: g.ids[0], Name: "peer-0", Term: 1})
	if _, err := g.apply(commands...); err != nil {
		return err
	}
	if err := g.set(Load{Interval: 30 * time.Second, InFlight: 1024}); err != nil {
		return err
	}
	if err := g.enlist(ctx); err != nil {
		return err
	}
	for first, end := range g.blocks() {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := g.changed(first, end); err != nil {
			return err
		}
		if err := g.unchanged(first, end); err != nil {
			return err
		}
		if err := g.trim(0); err != nil {
			return err
		}
	}
	return nil
}

// tell has nodes change their version until so many events are kept, and lets those before them go.
func (g *Group) tell(ctx context.Context, events int) error {
	for g.kept() < events {
		g.version++
		for first, end := range g.blocks() {
			if g.kept() >= events {
				break
			}
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if err := g.changed(first, end); err != nil {
				return err
			}
		}
	}
	return g.trim(events)
}

// blocks are the ids of all clusters in spans of as many as one entry grants claims of.
func (g *Group) blocks() iter.Seq2[uint64, uint64] {
	return func(yield func(first, end uint64) bool) {
		for first := uint64(1); first <= uint64(g.Clusters); first += granted {
			if !yield(first, min(first+granted, uint64(g.Clusters)+1)) {
				return
			}
		}
	}
}

// set applies the settings of a load.
func (g *Group) set(l Load) error {
	spec := fsm.DefaultSpec()
	spec.Backend, spec.Refresh.Interval = "file", fsm.DurationOf(l.Interval)
	settings := fsm.DefaultSettings()
	settings.Limits.InFlight = l.InFlight
	by := fsm.Cause{Kind: fsm.CauseOperator}
	_, err := g.apply(
		&fsm.SettingsSet{Settings: settings, Cause: by}, &fsm.DiscoveryApply{Name: "fleet", Spec: spec, Cause: by})
	return err
}

// enlist does the run that finds all nodes.
func (g *Group) enlist(ctx context.Context) error {
	a, err := g.apply(&fsm.ClaimGrant{
		Kind: fsm.KindRun, Peer: g.ids[0], TTL: fsm.Minute, Reason: fsm.WhyAsked, IDs: []uint64{1},
	})
	if err != nil {
		return err
	}
	d := g.state.Read().Discovery("fleet")
	run := &fsm.RunComplete{Discovery: d.ID, Settings: d.Settings, Token: a.Index}
	for c := range g.Clusters {
		run.Enrolments = append(run.Enrolments, g.enrolment(d, c))
		if len(run.Enrolments)*g.Nodes < enlisted && c < g.Clusters-1 {
			continue
		}
		if c == g.Clusters-1 {
			run.Outcome = &fsm.RunOutcome{Records: g.Clusters * g.Nodes, Changed: true}
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if _, err := g.apply(run); err != nil {
			return err
		}
		run.Enrolments = nil
		run.Part++
		if err := g.trim(0); err != nil {
			return err
		}
	}
	return nil
}

func (g *Group) enrolment(d *fsm.Discovery, c int) fsm.Enrolment {
	name := fmt.Sprintf("fleet-%06d", c)
	reading := fsm.Reading{Discovery: d.ID, Cluster: name, Now: g.now, Full: true}
	for n := range g.Nodes {
		reading.Records = append(reading.Records, fsm.Record{
			Cluster: name, Node: fmt.Sprintf("%s-%d", name, n), Port: 6379,
			Address: fmt.Sprintf("10.%d.%d.%d", c>>8&255, c&255, n&255), Labels: map[string]string{"zone": fmt.Sprintf("z%d", n%3)},
		})
	}
	return fsm.Enlist(&fsm.Roll{
		View: &fsm.View{Nodes: map[string]*fsm.Node{}}, Discoveries: map[uint64]*fsm.Discovery{d.ID: d},
	}, reading)
}

// changed has the nodes of some clusters answer, for the first time or with another version.
func (g *Group) changed(first, end uint64) error {
	token, err := g.grant(first, end)
	if err != nil {
		return err
	}
	r := g.state.Read()
	var commands []fsm.Command
	for id := first; id < end; id++ {
		claim := r.Claim(fsm.Subject{Kind: fsm.KindRefresh, ID: id})
		view := r.View(id)
		facts, notes := fsm.Diff(view, nil, fsm.Round{
			Now: claim.Granted, Peer: claim.Peer, Full: true, Spec: fsm.DefaultRefresh(), Reports: g.answers(view),
		})
		commands = append(commands, &fsm.RefreshComplete{
			Cluster: id, Token: token, Last: true, Base: view.Cluster.Index, Facts: facts, Notes: notes,
		})
		if len(commands)*g.Nodes < completed && id < end-1 {
			continue
		}
		if _, err := g.apply(commands...); err != nil {
			return err
		}
		commands = nil
	}
	return nil
}

// answers is what the nodes of a cluster say.
func (g *Group) answers(v *fsm.View) []fsm.Report {
	var out []fsm.Report
	for _, n := range v.Nodes {
		role, lag := fsm.RoleReplica, int64(12)
		if strings.HasSuffix(n.ID, "-0") {
			role = fsm.RolePrimary
		}
		out = append(out, fsm.Report{
			Node: n.ID, Reachable: true, State: fsm.StateUp, NodeID: n.ID, ClusterID: v.Cluster.Name, Kind: "redis",
			Version: fmt.Sprintf("7.2.%d", g.version), Attributes: map[string]string{"zone": n.Endpoint.Labels["zone"]},
			Shards: []fsm.Shard{{ID: "0", Role: role, Offset: &fsm.Offset{Value: 1 << 40, Unit: "bytes"}, LagMS: &lag}},
		})
	}
	slices.SortFunc(out, func(a, b fsm.Report) int { return strings.Compare(a.Node, b.Node) })
	return out
}

// unchanged has some clusters refreshed as often as is remembered.
func (g *Group) unchanged(first, end uint64) error {
	for range fsm.MaxPast {
		token, err := g.grant(first, end)
		if err != nil {
			return err
		}
		u := &fsm.RefreshUnchanged{AsOf: g.index}
		for id := first; id < end; id++ {
			u.Add(id, token, 3)
		}
		if _, err := g.apply(u); err != nil {
			return err
		}
	}
	return nil
}

// grant gives the claims of clusters to one peer, whatever the scheduler would say.
func (g *Group) grant(first, end uint64) (token uint64, err error) {
	c := &fsm.ClaimGrant{Kind: fsm.KindRefresh, Peer: g.ids[int(first)%len(g.ids)], TTL: 20 * fsm.Second, Reason: fsm.WhyDue}
	for id := first; id < end; id++ {
		c.IDs = append(c.IDs, id)
	}
	a, err := g.apply(c)
	if err == nil && len(a.Granted) != len(c.IDs) {
		err = fmt.Errorf("%d of %d claims were granted", len(a.Granted), len(c.IDs))
	}
	return g.index, err
}

// trim lets all but the last events go.
func (g *Group) trim(events int) error {
	_, err := g.apply(&fsm.EventsTrim{First: g.state.Read().Meta().Seq + 1 - uint64(events)})
	return err
}

func (g *Group) kept() int {
	m := g.state.Read().Meta()
	return int(m.Seq + 1 - m.First)
}
