package httpd_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

func TestClusterRow(t *testing.T) {
	f := newFace(t)
	f.fleet()
	a := f.get("/v1/clusters")
	rows := into[[]httpd.ClusterRow](a, http.StatusOK)
	if len(rows) != 2 || rows[0].Name != "carts" || rows[1].Name != "orders" {
		t.Fatalf("rows are %+v", rows)
	}
	c := f.state.Read().Cluster("orders")
	s := f.state.Read().Schedule(fsm.Subject{Kind: fsm.KindRefresh, ID: c.ID})
	next, _ := s.Due(30 * fsm.Second)
	want := httpd.ClusterRow{
		Name: "orders", Health: fsm.HealthDegraded, Reasons: []string{"node_unreachable"}, Labels: map[string]string{},
		Nodes: httpd.Counts{Total: 3, Well: 2, Unwell: 1}, Shards: 1, Primaries: 1, Kinds: []string{"redis"},
		Versions: []string{"7.0"}, RefreshedAt: s.Observed, NextRefresh: next, Index: c.Index,
	}
	if diff := cmp.Diff(want, rows[1]); diff != "" {
		t.Errorf("row (-want +got):\n%s", diff)
	}
	var keys []map[string]any
	if err := json.Unmarshal(a.Body.Bytes(), &keys); err != nil {
		t.Fatal(err)
	}
	for _, k := range []string{"reasons", "labels", "kinds", "versions"} {
		if keys[0][k] == nil {
			t.Errorf("%s of a cluster without any is null", k)
		}
	}
}

func TestMismatchedNodeIsUnwell(t *testing.T) {
	f := newFace(t)
	f.fleet()
	stranger := up("orders-2", fsm.RoleReplica)
	stranger.NodeID = "another"
	f.refreshed("orders", up("orders-1", fsm.RolePrimary), stranger, fsm.Unreachable("a/b", fsm.ReasonRefused, "dial"))
	node := into[httpd.NodeRow](f.get("/v1/cluster/orders/node/orders-2"), http.StatusOK)
	if !node.Identity.Mismatch || node.State.Value != fsm.StateUp || node.Reach.Value != fsm.Reachable {
		t.Fatalf("node is %+v", node)
	}
	counts := into[[]httpd.ClusterRow](f.get("/v1/clusters?after=carts"), http.StatusOK)[0].Nodes
	if counts != (httpd.Counts{Total: 3, Well: 1, Unwell: 2}) {
		t.Errorf("counts are %+v", counts)
	}
}

func TestClusterIsOverdue(t *testing.T) {
	f := newFace(t)
	f.fleet()
	c := f.state.Read().Cluster("orders")
	subject := fsm.Subject{Kind: fsm.KindRefresh, ID: c.ID}
	due, _ := f.state.Read().Schedule(subject).Due(30 * fsm.Second)
	f.now = due + 5000
	row := into[httpd.ClusterDetail](f.get("/v1/cluster/orders"), http.StatusOK)
	if row.Overdue != 5*fsm.Second || row.NextRefresh != due {
		t.Fatalf("overdue %s, next %s; want 5s and %s", row.Overdue, row.NextRefresh, due)
	}
	f.apply(&fsm.ClaimGrant{Kind: fsm.KindRefresh, Peer: "p1", TTL: fsm.Minute, IDs: []uint64{c.ID}})
	row = into[httpd.ClusterDetail](f.get("/v1/cluster/orders"), http.StatusOK)
	if row.Overdue != 0 || row.NextRefresh != fsm.NextSlot(subject, 30*fsm.Second, f.now) {
		t.Fatalf("with an open claim: overdue %s, next %s", row.Overdue, row.NextRefresh)
	}
	f.do("PATCH", "/v1/cluster/orders", `{"refresh": {"enabled": false}}`)
	row = into[httpd.ClusterDetail](f.get("/v1/cluster/orders"), http.StatusOK)
	if row.NextRefresh != 0 {
		t.Fatalf("refreshing is off, yet next is %s", row.NextRefresh)
	}
}

func TestClusterDetail(t *testing.T) {
	f := newFace(t)
	f.fleet()
	got := into[httpd.ClusterDetail](f.get("/v1/cluster/orders"), http.StatusOK)
	if len(got.Nodes) != 3 || got.Nodes[0].ID != "a/b" {
		t.Fatalf("nodes are %+v", got.Nodes)
	}
	lag := int64(20)
	shards := []httpd.ShardRow{{ID: "s1", Primary: "orders-1", Nodes: []httpd.ShardNode{
		{Node: "orders-1", Role: "primary", LagMS: &lag}, {Node: "orders-2", Role: "replica", LagMS: &lag},
	}}}
	if diff := cmp.Diff(shards, got.Shards); diff != "" {
		t.Errorf("shards (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(shards, into[[]httpd.ShardRow](f.get("/v1/cluster/orders/shards"), http.StatusOK)); diff != "" {
		t.Errorf("shards of their own (-want +got):\n%s", diff)
	}
	s := f.state.Read().Schedule(fsm.Subject{Kind: fsm.KindRefresh, ID: f.state.Read().Cluster("orders").ID})
	want := s.Last
	want.Peer = "peer-a"
	if diff := cmp.Diff(want, got.LastRefresh); diff != "" {
		t.Errorf("last refresh (-want +got):\n%s", diff)
	}
}

func TestNodeRow(t *testing.T) {
	f := newFace(t)
	f.fleet()
	f.do("PATCH", "/v1/cluster/orders/node/orders-1", `{"labels": {"rack": "r9", "tier": "gold"}, "vars": {"a": 1}}`)
	got := into[httpd.NodeRow](f.get("/v1/cluster/orders/node/orders-1"), http.StatusOK)
	r := f.state.Read()
	c := r.Cluster("orders")
	n := r.Node(c.ID, "orders-1")
	lag := int64(20)
	want := httpd.NodeRow{
		Cluster: "orders", ID: "orders-1", Address: "10.0.0.7", Port: 9000,
		Labels:       map[string]string{"rack": "r9", "tier": "gold"},
		LabelSources: map[string]string{"rack": "operator", "tier": "operator"},
		Sources:      []fsm.Source{{Discovery: "prod"}}, Presence: fsm.Present, Lifecycle: fsm.Commissioned,
		Vars: `{"a":1}`, Reach: n.Reach, State: n.State, Kind: "redis", Version: "7.0",
		Identity: fsm.Identity{Node: "orders-1"}, Shards: []fsm.Shard{{ID: "s1", Role: "primary", LagMS: &lag}},
		Attributes: map[string]string{"mode": "standalone"},
		ObservedAt: r.Schedule(fsm.Subject{Kind: fsm.KindRefresh, ID: c.ID}).Observed, Index: n.Index,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("node (-want +got):\n%s", diff)
	}
	down := into[httpd.NodeRow](f.get("/v1/cluster/orders/node/a%2Fb"), http.StatusOK)
	if down.ID != "a/b" || down.Failures != 2 || down.ObservedAt != 0 || down.Reach.Value != fsm.NotReachable {
		t.Errorf("a node that never answered is %+v", down)
	}
	f.get("/v1/cluster/orders/node/nobody").refuses(http.StatusNotFound, fsm.CodeNotFound)
	f.get("/v1/cluster/nobody/node/orders-1").refuses(http.StatusNotFound, fsm.CodeNotFound)
}

func TestObservedAtOfAFailingNode(t *testing.T) {
	f := newFace(t)
	f.fleet()
	c := f.state.Read().Cluster("orders")
	subject := fsm.Subject{Kind: fsm.KindRefresh, ID: c.ID}
	before := f.state.Read().Schedule(subject).Observed
	f.refreshed("orders", up("orders-1", fsm.RolePrimary), fsm.Unreachable("orders-2", fsm.ReasonTimeout, ""),
		fsm.Unreachable("a/b", fsm.ReasonRefused, ""))
	got := into[httpd.NodeRow](f.get("/v1/cluster/orders/node/orders-2"), http.StatusOK)
	if got.ObservedAt != before || got.Failures != 1 || got.Reach.Value != fsm.Reachable {
		t.Fatalf("observed at %s with %d failures, want %s and 1", got.ObservedAt, got.Failures, before)
	}
}

func TestDiscoveryRow(t *testing.T) {
	f := newFace(t)
	f.fleet()
	d := f.state.Read().Discovery("prod")
	claim := f.apply(&fsm.ClaimGrant{Kind: fsm.KindRun, Peer: "p1", TTL: fsm.Minute, Reason: fsm.WhyDue, IDs: []uint64{d.ID}}).Claim
	nodes := []fsm.NodeRef{{Cluster: "orders", Node: "a/b"}, {Cluster: "orders", Node: "orders-1"}}
	f.apply(&fsm.RunComplete{Discovery: d.ID, Settings: d.Settings, Token: claim.Token, Outcome: &fsm.RunOutcome{
		Records: 1, Hash: "h", Held: &fsm.Held{Hash: "hh", Nodes: nodes, Count: len(nodes), Owned: 4, Since: f.now},
	}})
	a := f.get("/v1/discovery/prod")
	got := into[httpd.DiscoveryRow](a, http.StatusOK)
	d = f.state.Read().Discovery("prod")
	if !got.Spec().Equal(d.Spec) || got.Index != d.Index || got.LastRun.Outcome != fsm.OutcomeHeld || got.LastRun.Peer != "peer-a" {
		t.Errorf("discovery is %+v", got)
	}
	if next, _ := f.state.Read().Schedule(claim.Subject).Due(d.Spec.Interval); got.NextRun != next {
		t.Errorf("next run is %s, want %s", got.NextRun, next)
	}
	want := httpd.Held{Hash: "hh", Count: 2, Owned: 4, Since: d.Held.Since, Nodes: nodes}
	if diff := cmp.Diff(want, got.Held); diff != "" {
		t.Errorf("held (-want +got):\n%s", diff)
	}
	list := into[[]httpd.DiscoveryRow](f.get("/v1/discoveries"), http.StatusOK)
	if len(list) != 1 || list[0].Held.Count != 2 || list[0].Held.Nodes != nil {
		t.Errorf("list is %+v", list)
	}
	f.get("/v1/discovery/nobody").refuses(http.StatusNotFound, fsm.CodeNotFound)
}

func TestClaimRows(t *testing.T) {
	f := newFace(t)
	f.fleet()
	r := f.state.Read()
	f.apply(&fsm.ClaimGrant{Kind: fsm.KindRefresh, Peer: "p1", TTL: fsm.Minute, Reason: fsm.WhyDue, IDs: []uint64{r.Cluster("carts").ID}})
	claim := f.apply(&fsm.ClaimGrant{Kind: fsm.KindRun, Peer: "p9", TTL: fsm.Minute, Reason: fsm.WhyNudge, IDs: []uint64{1}, Names: []string{"x"}}).Claim
	got := into[[]httpd.ClaimRow](f.get("/v1/claims"), http.StatusOK)
	if len(got) != 2 || got[1].Subject != (httpd.ClaimSubject{Kind: "refresh", Name: "carts"}) || got[1].Peer != "peer-a" {
		t.Fatalf("claims are %+v", got)
	}
	want := httpd.ClaimRow{
		Subject: httpd.ClaimSubject{Kind: "run", Name: "prod"}, Token: claim.Token, Peer: "p9", Granted: claim.Granted,
		TTL: fsm.Minute, Reason: fsm.WhyNudge, Names: []string{"x"},
	}
	if diff := cmp.Diff(want, got[0]); diff != "" {
		t.Errorf("claim (-want +got):\n%s", diff)
	}
	first := f.get("/v1/claims?limit=1")
	rest := into[[]httpd.ClaimRow](f.get("/v1/claims?after="+first.Header().Get("X-Muster-Next")), http.StatusOK)
	if len(rest) != 1 || rest[0].Subject.Kind != "refresh" {
		t.Fatalf("second page is %+v", rest)
	}
}

func TestEffective(t *testing.T) {
	f := newFace(t)
	f.fleet()
	f.do("PUT", "/v1/settings", `{"group": "all", "vars": {"a": 1, "b": {"deep": true}}}`)
	f.do("PATCH", "/v1/cluster/orders", `{"group": "core", "labels": {"rack": "c"}, "vars": {"b": 2, "c": 3}, "refresh": {"timeout": "1s"}}`)
	f.do("PATCH", "/v1/cluster/orders/node/orders-1", `{"group": "special", "vars": {"c": 4}, "labels": {"own": "x"}}`)
	got := into[httpd.Effective](f.get("/v1/cluster/orders/effective"), http.StatusOK)
	if got.Group == nil || got.Group.Value != "core" || got.Group.From != "cluster" {
		t.Errorf("group is %+v", got.Group)
	}
	vars := map[string]*httpd.EffectiveKey{
		"a": {Value: 1.0, From: "globals"}, "c": {Value: 3.0, From: "cluster"},
		"b": {Value: 2.0, From: "cluster", Over: []httpd.Hidden{{Value: map[string]any{"deep": true}, From: "globals"}}},
	}
	if diff := cmp.Diff(vars, got.Vars); diff != "" {
		t.Errorf("vars (-want +got):\n%s", diff)
	}
	for key, want := range map[string]*httpd.EffectiveKey{
		"timeout":         {Value: "1s", From: "cluster", Over: []httpd.Hidden{{Value: "3s", From: "discovery prod"}}},
		"prober":          {Value: "sidecar", From: "discovery prod"},
		"connect_timeout": {Value: "1s", From: "discovery prod"},
	} {
		if diff := cmp.Diff(want, got.Refresh[key]); diff != "" {
			t.Errorf("refresh %s (-want +got):\n%s", key, diff)
		}
	}
	node := into[httpd.Effective](f.get("/v1/cluster/orders/effective?node=orders-1"), http.StatusOK)
	labels := map[string]*httpd.EffectiveKey{
		"rack": {Value: "c", From: "cluster", Over: []httpd.Hidden{{Value: "r1", From: "record of prod"}}},
		"own":  {Value: "x", From: "node"},
	}
	if diff := cmp.Diff(labels, node.Labels); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
	group := &httpd.EffectiveKey{Value: "special", From: "node", Over: []httpd.Hidden{{Value: "core", From: "cluster"}, {Value: "all", From: "globals"}}}
	if diff := cmp.Diff(group, node.Group); diff != "" || node.Vars["c"].From != "node" || node.Node != "orders-1" {
		t.Errorf("node is %+v (-want +got):\n%s", node, diff)
	}
	plain := into[httpd.Effective](f.get("/v1/cluster/carts/effective?node=carts-1"), http.StatusOK)
	rack := &httpd.EffectiveKey{Value: "r1", From: "record of prod"}
	if diff := cmp.Diff(rack, plain.Labels["rack"]); plain.Group == nil || plain.Group.From != "globals" || diff != "" {
		t.Errorf("carts is %+v (-want +got):\n%s", plain, diff)
	}
	f.get("/v1/cluster/orders/effective?node=nobody").refuses(http.StatusNotFound, fsm.CodeNotFound)
}

func TestPrometheusTargets(t *testing.T) {
	f := newFace(t)
	if got := f.get("/v1/sd/prometheus").Body.String(); got != "[]" {
		t.Fatalf("nothing is told as %q", got)
	}
	f.fleet()
	a := f.get("/v1/sd/prometheus")
	got := into[[]httpd.Targets](a, http.StatusOK)
	if len(got) != 4 || a.Header().Get("Content-Type") != "application/json" {
		t.Fatalf("%d targets as %s", len(got), a.Header().Get("Content-Type"))
	}
	i := slices.IndexFunc(got, func(x httpd.Targets) bool { return x.Labels["node"] == "orders-1" })
	want := httpd.Targets{Targets: []string{"10.0.0.7:9000"}, Labels: map[string]string{
		"cluster": "orders", "node": "orders-1", "role": "primary", "health": "degraded",
	}}
	if diff := cmp.Diff(want, got[i]); diff != "" {
		t.Errorf("target (-want +got):\n%s", diff)
	}
}
