package httpd_test

import (
	"github.com/musterhq/muster/fsm"
)

// applied stores a discovery and returns it.
func (p *peer) applied(name string) *fsm.Discovery {
	p.t.Helper()
	spec := fsm.DefaultSpec()
	spec.Backend = "file"
	if err := spec.Validate(); err != nil {
		p.t.Fatal(err)
	}
	p.apply(&fsm.DiscoveryApply{Name: name, Spec: spec, Cause: fsm.Cause{Kind: fsm.CauseOperator}})
	return p.state.Read().Discovery(name)
}

// listed has a run of a discovery list nodes of a new cluster, commissioned.
func (p *peer) listed(d *fsm.Discovery, cluster string, nodes ...string) *fsm.Cluster {
	p.t.Helper()
	v := &fsm.View{Nodes: map[string]*fsm.Node{}}
	facts := []fsm.Fact{{Type: fsm.ClusterDiscovered, After: &fsm.ClusterPart{}}}
	e := fsm.Enrolment{Cluster: cluster}
	for i, id := range nodes {
		at := fsm.Endpoint{Address: "10.0.0.7", Port: 9000 + i, Labels: map[string]string{"rack": "r1"}}
		e.Put = append(e.Put, fsm.Listing{Node: id, Endpoint: at})
		facts = append(facts, fsm.Fact{Type: fsm.NodeDiscovered, Node: id, After: &fsm.NodePart{
			Endpoint: at, Sources: []string{d.Name}, Presence: fsm.Present, Lifecycle: fsm.Commissioned,
		}})
	}
	e.Facts = p.derived(v, facts)
	claim := p.apply(&fsm.ClaimGrant{Kind: fsm.KindRun, Peer: "p1", TTL: fsm.Minute, Reason: fsm.WhyDue, IDs: []uint64{d.ID}}).Claim
	p.apply(&fsm.RunComplete{
		Discovery: d.ID, Settings: d.Settings, Token: claim.Token, Enrolments: []fsm.Enrolment{e},
		Outcome: &fsm.RunOutcome{Records: len(nodes), Took: 12, Hash: "abc", Changed: true},
	})
	return p.state.Read().Cluster(cluster)
}

// derived is facts about a view with what follows from them.
func (p *peer) derived(v *fsm.View, facts []fsm.Fact) []fsm.Fact {
	p.t.Helper()
	if err := fsm.FoldAll(v, facts); err != nil {
		p.t.Fatal(err)
	}
	return append(facts, fsm.Derive(v, p.now)...)
}

// refreshed has a refresh of a cluster bring reports.
func (p *peer) refreshed(cluster string, reports ...fsm.Report) {
	p.t.Helper()
	c := p.state.Read().Cluster(cluster)
	claim := p.apply(&fsm.ClaimGrant{Kind: fsm.KindRefresh, Peer: "p1", TTL: fsm.Minute, Reason: fsm.WhyDue, IDs: []uint64{c.ID}}).Claim
	r := p.state.Read()
	facts, notes := fsm.Diff(r.View(c.ID), r.Schedule(claim.Subject).Notes, fsm.Round{
		Now: claim.Granted, Observed: r.Schedule(claim.Subject).Observed, Peer: "p1", Full: true, Alone: true,
		Spec: r.RefreshOf(c), Reports: reports,
	})
	p.apply(&fsm.RefreshComplete{
		Cluster: c.ID, Token: claim.Token, Last: true, Base: c.Index, Facts: facts, Notes: notes, Took: 40,
	})
}

// unchanged has a refresh of a cluster bring nothing new.
func (p *peer) unchanged(cluster string) {
	p.t.Helper()
	c := p.state.Read().Cluster(cluster)
	claim := p.apply(&fsm.ClaimGrant{Kind: fsm.KindRefresh, Peer: "p1", TTL: fsm.Minute, Reason: fsm.WhyDue, IDs: []uint64{c.ID}}).Claim
	done := &fsm.RefreshUnchanged{AsOf: claim.Token}
	done.Add(c.ID, claim.Token, 10)
	p.apply(done)
}

func up(node, role string) fsm.Report {
	lag := int64(20)
	return fsm.Report{
		Node: node, Reachable: true, State: fsm.StateUp, NodeID: node, Kind: "redis", Version: "7.0",
		Shards:     []fsm.Shard{{ID: "s1", Role: role, LagMS: &lag}},
		Attributes: map[string]string{"mode": "standalone"},
	}
}

// fleet is two clusters: orders with three nodes, the first primary, the last refusing; carts with one that was never
// asked.
func (p *peer) fleet() {
	p.t.Helper()
	d := p.applied("prod")
	p.listed(d, "orders", "orders-1", "orders-2", "a/b")
	p.listed(p.state.Read().Discovery("prod"), "carts", "carts-1")
	reports := []fsm.Report{
		up("orders-1", fsm.RolePrimary), up("orders-2", fsm.RoleReplica), fsm.Unreachable("a/b", fsm.ReasonRefused, "dial"),
	}
	p.refreshed("orders", reports...)
	p.refreshed("orders", reports...)
}
