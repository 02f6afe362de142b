package cli_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

// ago is an instant before now.
func ago(d time.Duration) fsm.Time { return fsm.TimeOf(now.Add(-d)) }

// clusters are one of each health, with a name that is wide and one that is long.
func clusters() []httpd.ClusterRow {
	return []httpd.ClusterRow{
		{
			Name: "billing", Health: fsm.HealthHealthy, Nodes: httpd.Counts{Total: 3, Well: 3}, Shards: 1, Primaries: 1,
			Kinds: []string{"postgres"}, Versions: []string{"16.4"}, RefreshedAt: ago(2 * time.Second), NextRefresh: ago(-28 * time.Second),
		},
		{
			Name: "caches-of-the-whole-of-the-northern-region", Health: fsm.HealthDown, Reasons: []string{fsm.BecauseNodeUnreachable},
			Nodes: httpd.Counts{Total: 2, Unwell: 2}, Shards: 1, Kinds: []string{"redis"}, Versions: []string{"7.0.15", "7.2.5"},
			RefreshedAt: ago(3 * time.Minute), NextRefresh: ago(2 * time.Minute), Overdue: 2 * fsm.Minute,
		},
		{
			Name: "orders", Health: fsm.HealthDegraded, Reasons: []string{fsm.BecauseLagHigh, fsm.BecauseNodeUnreachable},
			Group: "payments", Labels: map[string]string{"tier": "1", "env": "prod"},
			Nodes:  httpd.Counts{Total: 5, Well: 3, Unwell: 1, Maintenance: 1, Missing: 1},
			Shards: 2, Primaries: 1, Kinds: []string{"redis"}, Versions: []string{"7.0.15"},
			RefreshedAt: ago(12 * time.Second), NextRefresh: ago(-18 * time.Second),
		},
		{Name: "新宿", Health: fsm.HealthUnknown, Reasons: []string{fsm.BecauseNoCountedNodes}},
	}
}

// nodes are those of cluster orders: well, unreachable, lagging, in maintenance, missing, somebody else.
func nodes() []httpd.NodeRow {
	base := func(id, address string) httpd.NodeRow {
		return httpd.NodeRow{
			Cluster: "orders", ID: id, Address: address, Port: 8655, Presence: fsm.Present, Lifecycle: fsm.Commissioned,
			Sources: []fsm.Source{{Discovery: "prod"}}, Kind: "redis", Version: "7.0.15", SidecarVersion: "0.1.0",
			Reach:    fsm.Axis{Value: fsm.Reachable, Since: ago(time.Hour)},
			State:    fsm.Axis{Value: fsm.StateUp, Since: ago(time.Hour)},
			Identity: fsm.Identity{Node: id, Cluster: "orders"}, ObservedAt: ago(12 * time.Second),
			Labels: map[string]string{"rack": "r7"}, Attributes: map[string]string{"zone": "a"},
			Shards: []fsm.Shard{
				{ID: "0", Role: fsm.RoleReplica, Offset: &fsm.Offset{Value: 4711, Unit: "bytes"}, LagMS: new(int64(12))},
				{ID: "1", Role: fsm.RoleReplica, LagMS: new(int64(3))},
			},
		}
	}
	primary, gone, slow, worked, missing := base("orders-1", "10.0.0.1"), base("orders-2", "10.0.0.2"),
		base("orders-3", "10.0.0.3"), base("orders-4", "10.0.0.4"), base("orders-5", "fd00::5")
	primary.Shards[0].Role, primary.Shards[0].LagMS = fsm.RolePrimary, nil
	gone.Shards[1].Role = fsm.RolePrimary
	gone.LabelSources = map[string]string{"rack": "operator"}
	gone.Reach = fsm.Axis{Value: fsm.NotReachable, Reason: fsm.ReasonRefused, Detail: "connect: refused", Since: ago(3 * time.Minute)}
	gone.Failures, gone.ObservedAt = 2, ago(4*time.Minute)
	slow.Shards[0].High = &fsm.High{LagMS: 45_000, Since: ago(time.Minute)}
	slow.Failures = 1
	worked.Lifecycle = fsm.Maintenance
	worked.State = fsm.Axis{Value: fsm.StateDown, Reason: "store_unavailable", Since: ago(20 * time.Second)}
	missing.Presence = fsm.Missing
	missing.Sources[0].AbsentSince, missing.Sources[0].AbsentReads = ago(5*time.Minute), 3
	missing.Identity.Mismatch, missing.Identity.SaysNode, missing.Identity.SaysCluster = true, "spare-9", "spares"
	return []httpd.NodeRow{primary, gone, slow, worked, missing}
}

func orders() httpd.ClusterDetail {
	return httpd.ClusterDetail{
		ClusterRow: clusters()[2], Nodes: nodes(), Settings: httpd.ClusterSettings{Group: "payments", Vars: `{"owner":"ann"}`, Guards: []fsm.Guard{
			{Group: "voters", MinCommissioned: 2}, {MaxMaintenance: 1},
		}},
		Shards: []httpd.ShardRow{
			{ID: "0", Primary: "orders-1", Nodes: []httpd.ShardNode{
				{Node: "orders-1", Role: fsm.RolePrimary},
				{Node: "orders-2", Role: fsm.RoleReplica, LagMS: new(int64(12))},
				{Node: "orders-3", Role: fsm.RoleReplica, LagMS: new(int64(40)), High: &fsm.High{LagMS: 45_000}},
			}},
			{ID: "1", Primary: "orders-2", State: fsm.PrimaryLost, Nodes: []httpd.ShardNode{
				{Node: "orders-1", Role: fsm.RoleReplica, LagMS: new(int64(0))}, {Node: "orders-3", Role: fsm.RoleRecovering},
			}},
		},
		LastRefresh: fsm.Work{At: ago(12 * time.Second), Peer: "peer-b", Took: 14, Outcome: fsm.OutcomeChanged},
	}
}

// past is how work went, in all its ways.
func past() []fsm.Work {
	return []fsm.Work{
		{At: ago(12 * time.Second), Peer: "peer-b", Took: 14, Outcome: fsm.OutcomeChanged, Reason: fsm.WhyConfirm},
		{At: ago(42 * time.Second), Peer: "peer-a", Took: 120, Outcome: fsm.OutcomeUnchanged, Reason: fsm.WhyDue, Records: 42},
		{At: ago(72 * time.Second), Peer: "peer-a", Outcome: fsm.OutcomeFailed, Reason: fsm.WhyAsked, Error: "dial consul.staging: no such host"},
		{At: ago(102 * time.Second), Peer: "peer-c", Outcome: fsm.OutcomeExpired, Reason: fsm.WhyNudge, Error: "ttl"},
	}
}

// live is what the nodes of orders say now: as agreed, nothing, and something else.
func live() []httpd.LiveNode {
	rows := nodes()
	says := func(n httpd.NodeRow) httpd.Answer {
		return httpd.Answer{
			Reach: fsm.Axis{Value: fsm.Reachable}, State: fsm.Axis{Value: n.State.Value}, Version: n.Version, Shards: n.Shards,
		}
	}
	promoted := says(rows[2])
	promoted.Shards = []fsm.Shard{{ID: "0", Role: fsm.RoleReplica, LagMS: new(int64(30))}, {ID: "1", Role: fsm.RolePrimary}}
	return []httpd.LiveNode{
		{Node: "orders-1", Says: says(rows[0]), View: &rows[0]},
		{Node: "orders-2", Says: httpd.Answer{Reach: fsm.Axis{Value: fsm.NotReachable, Reason: fsm.ReasonRefused}}, View: &rows[1]},
		{Node: "orders-3", Says: promoted, View: &rows[2]},
	}
}

func part(v any) json.RawMessage {
	raw, _ := json.Marshal(v)
	return raw
}

// events are one of many types, of the last hour.
func events() []httpd.Event {
	type e = httpd.Event
	all := []e{
		{Type: fsm.LeaderChanged, Before: part(fsm.LeaderPart{Name: "peer-a", Term: 2}), After: part(fsm.LeaderPart{Name: "peer-b", Term: 3})},
		{Type: fsm.DiscoveryApplied, After: part(fsm.DiscoveryPart{Name: "prod", Spec: spec()}), Cause: fsm.Cause{Kind: fsm.CauseOperator, Address: "127.0.0.1"}},
		{Type: fsm.NodeDiscovered, Cluster: "orders", Node: "orders-1", After: part(fsm.NodePart{
			Endpoint: fsm.Endpoint{Address: "10.0.0.1", Port: 8655}, Lifecycle: fsm.Commissioned, Sources: []string{"prod"},
		})},
		{Type: fsm.NodeUp, Cluster: "orders", Node: "orders-1", Before: part(fsm.StatePart{State: fsm.StateUnknown}), After: part(fsm.StatePart{
			State: fsm.StateUp, Said: &fsm.Said{Kind: "redis", Version: "7.0.15", Shards: []fsm.Shard{{ID: "0", Role: fsm.RolePrimary}}},
		})},
		{
			Type: fsm.NodeUnreachable, Cluster: "orders", Node: "orders-2", Before: part(fsm.ReachPart{Reach: fsm.Reachable}),
			After: part(fsm.ReachPart{Reach: fsm.NotReachable, Reason: fsm.ReasonRefused, Detail: "connect: refused"}), Maintenance: true,
		},
		{Type: fsm.ShardChanged, Cluster: "orders", Node: "orders-1", Shard: "0", Before: part(fsm.ShardPart{Role: fsm.RoleReplica}), After: part(fsm.ShardPart{Role: fsm.RolePrimary})},
		{Type: fsm.ShardPrimaryLost, Cluster: "orders", Shard: "1", Before: part(fsm.PrimaryPart{Primary: "orders-2"}), After: part(fsm.PrimaryPart{Primary: "orders-2", State: fsm.PrimaryLost})},
		{Type: fsm.ShardLagHigh, Cluster: "orders", Node: "orders-3", Shard: "0", Before: part(fsm.LagPart{}), After: part(fsm.LagPart{High: &fsm.High{LagMS: 45_000}})},
		{
			Type: fsm.ClusterHealthChanged, Cluster: "orders", Before: part(fsm.HealthPart{Health: fsm.HealthHealthy}),
			After: part(fsm.HealthPart{Health: fsm.HealthDegraded, Reasons: []string{fsm.BecauseNodeUnreachable}}),
		},
		{
			Type: fsm.ClusterHealthChanged, Cluster: "orders", Before: part(fsm.HealthPart{Health: fsm.HealthDegraded, Reasons: []string{fsm.BecauseNodeUnreachable}}),
			After: part(fsm.HealthPart{Health: fsm.HealthDegraded, Reasons: []string{fsm.BecauseLagHigh, fsm.BecauseNodeUnreachable}}),
		},
		{
			Type: fsm.NodeMaintenance, Cluster: "orders", Node: "orders-4", Maintenance: true, Before: part(fsm.LifecyclePart{Lifecycle: fsm.Commissioned}),
			After: part(fsm.LifecyclePart{Lifecycle: fsm.Maintenance}), Cause: fsm.Cause{Kind: fsm.CauseOperator, Accessor: "ann", Address: "10.9.9.9"},
		},
		{Type: fsm.ClusterSettingsChanged, Cluster: "orders", Before: part(fsm.SettingsPart{}), After: part(fsm.SettingsPart{Settable: fsm.Settable{Group: "payments", Labels: map[string]string{"tier": "1"}}})},
		{Type: "node.moon_phase", Cluster: "orders", Node: "orders-1", Before: part(map[string]any{"moon": "new"}), After: part(map[string]any{"moon": "full", "tide": 3})},
		{Type: fsm.OperatorActed, After: part(fsm.ActionPart{Action: "refresh", Subject: "orders"}), Cause: fsm.Cause{Kind: fsm.CauseOperator, Address: "127.0.0.1"}},
		{Type: fsm.DiscoveryHeld, After: part(fsm.HeldPart{Name: "prod", Count: 9, Owned: 12, Hash: "5f1c9b2e"})},
		{Type: fsm.NodeUnreachable, Cluster: "orders", Node: "evil\x1b[2J\nnode", After: part(fsm.ReachPart{Reach: fsm.NotReachable, Reason: fsm.ReasonTimeout})},
	}
	for i := range all {
		all[i].Epoch, all[i].Seq = "e1", uint64(i+1)
		all[i].Time = ago(time.Duration(len(all)-i) * 3 * time.Minute)
	}
	return all
}

func spec() fsm.Spec {
	s := fsm.DefaultSpec()
	s.Backend, s.Config = "consul", `{"services":["*"]}`
	s.Refresh.ConnectTimeout = fsm.Second
	return s
}

func discoveries() []httpd.DiscoveryRow {
	row := func(name string) httpd.DiscoveryRow {
		s := spec()
		return httpd.DiscoveryRow{
			Name: name, Backend: s.Backend, Config: s.Config, Interval: s.Interval, Enabled: true, On: s.On, Cluster: s.Cluster,
			Admission: s.Admission, MissingAfter: s.MissingAfter, RemoveAfter: s.RemoveAfter, MaxShrink: s.MaxShrink,
			OnDelete: s.OnDelete, Refresh: s.Refresh, NextRun: ago(-48 * time.Second), Index: 9,
			LastRun: fsm.Work{At: ago(12 * time.Second), Peer: "peer-b", Took: 120, Outcome: fsm.OutcomeUnchanged, Records: 42},
		}
	}
	good, failing, holding, off, fresh := row("prod"), row("staging"), row("edge"), row("lab"), row("new")
	failing.Failing = "no such host"
	failing.LastRun = fsm.Work{At: ago(time.Minute), Peer: "peer-a", Outcome: fsm.OutcomeFailed, Error: "dial consul.staging: no such host"}
	holding.Held = httpd.Held{Hash: "5f1c9b2e", Count: 9, Owned: 12, Since: ago(2 * time.Hour)}
	for i := range 9 {
		holding.Held.Nodes = append(holding.Held.Nodes, fsm.NodeRef{Cluster: "edge", Node: "edge-" + string(rune('1'+i))})
	}
	off.Enabled, off.NextRun = false, 0
	fresh.LastRun, fresh.NextRun = fsm.Work{}, ago(0)
	return []httpd.DiscoveryRow{holding, off, fresh, good, failing}
}

func members() []httpd.Member {
	return []httpd.Member{
		{ID: "01A", Name: "peer-a", Address: "10.0.0.1:8651", HTTPAddress: "10.0.0.1:8650", GossipAddress: "10.0.0.1:8652", Status: "alive", Role: "leader", Version: "0.1.0", Raft: "voter"},
		{ID: "01B", Name: "peer-b", Address: "10.0.0.2:8651", Status: "failed", Role: "voter", Version: "0.1.0", Raft: "voter"},
		{ID: "01C", Name: "worker-1", Address: "10.0.0.3:8651", Status: "stopped", Role: "worker", Version: "0.1.0", Raft: "nonvoter"},
		{ID: "01D", Name: "somebody", Address: "10.0.0.4:8651", Status: "alive"},
	}
}

// fleet is a peer that knows all of these.
func fleet(t *testing.T) *api {
	a := newAPI(t)
	a.on("GET", "/v1/clusters", clusters()).on("GET", "/v1/cluster/orders", orders()).on("GET", "/v1/cluster/orders/live", live())
	a.on("GET", "/v1/nodes", nodes()).on("GET", "/v1/cluster/orders/nodes", nodes()).on("GET", "/v1/cluster/orders/node/orders-2", nodes()[1])
	a.on("GET", "/v1/cluster/orders/node/orders-5", nodes()[4]).on("GET", "/v1/discoveries", discoveries())
	a.do("GET", "/v1/cluster/orders", func(w http.ResponseWriter, r *http.Request) {
		d := orders()
		if r.URL.Query().Has("at") {
			d.LastRefresh, d.NextRefresh, d.At = fsm.Work{}, 0, httpd.Moment{Cursor: "01JD:4711", Time: ago(20 * time.Second)}
		}
		reply(w, http.StatusOK, d)
	})
	a.on("GET", "/v1/cluster/orders/history", past()).on("GET", "/v1/discovery/prod/history", past()[1:])
	a.on("GET", "/v1/cluster/orders/effective", httpd.Effective{
		Cluster: "orders", Node: "orders-2", Group: &httpd.EffectiveKey{Value: "payments", From: "cluster"},
		Labels: map[string]*httpd.EffectiveKey{"rack": {Value: "r7", From: "node", Over: []httpd.Hidden{
			{Value: "r6", From: "record of prod"}, {Value: "none", From: "globals"},
		}}},
		Vars:   map[string]*httpd.EffectiveKey{"owner": {Value: map[string]any{"name": "ann"}, From: "discovery prod"}},
		Guards: &httpd.EffectiveKey{Value: []fsm.Guard{{MaxMaintenance: 1}}, From: "globals"},
		Refresh: map[string]*httpd.EffectiveKey{
			"prober": {Value: "sidecar", From: "discovery prod"}, "interval": {Value: "30s", From: "cluster"},
			"timeout": {Value: "3s", From: "cluster"}, "lag_limit": {Value: "30s", From: "default"}, "on": {Value: "zone=a", From: "discovery prod"},
		},
	})
	for _, d := range discoveries() {
		a.on("GET", "/v1/discovery/"+d.Name, d)
	}
	a.on("GET", "/v1/agent/members", members()).on("GET", "/v1/agent/self", self()).on("GET", "/v1/operator/usage", usage()).on("GET", "/v1/agent/host", machine())
	a.on("GET", "/readyz", httpd.Readiness{Status: "ok"}).on("GET", "/livez", httpd.Readiness{Status: "ok"}).on("GET", "/v1/settings", fsm.DefaultSettings())
	a.on("GET", "/v1/operator/raft/configuration", httpd.RaftConfiguration{Index: 5, Servers: []httpd.RaftServer{
		{ID: "01A", Name: "peer-a", Address: "10.0.0.1:8651", State: "leader", Leader: true, Voter: true, AppliedIndex: 4711},
		{ID: "01B", Name: "peer-b", Address: "10.0.0.2:8651", State: "follower", Voter: true, AppliedIndex: 4700},
		{ID: "01C", Name: "worker-1", Address: "10.0.0.3:8651", State: "unheard"},
	}})
	return a.do("GET", "/v1/events", pages(events()))
}

func self() httpd.Self {
	return httpd.Self{
		Member: members()[0], Group: "muster", GroupID: "01GROUP", Epoch: "e1", State: "leader", Term: 3, LastIndex: 4712,
		CommitIndex: 4711, AppliedIndex: 4711, FeatureLevel: 1, Leader: "peer-a", Started: ago(26 * time.Hour),
		Stats: map[string]string{"num_peers": "2", "last_snapshot_index": "4096", "latest_configuration": "[…]", "fsm_pending": "0"},
		Disk:  &httpd.DiskStatus{Dir: "/var/lib/muster", Level: "low", Free: 300 << 20, Total: 4 << 30},
		Backups: &httpd.BackupStatus{
			Dir: "/var/backups/muster", Leads: true, At: ago(20 * time.Minute), File: "muster-1.backup", Index: 4700, Kept: 48,
		},
		Consul: &httpd.Registration{
			Address: "127.0.0.1:8500", Service: "muster", ID: "muster-01A", Registered: true, Tags: []string{"leader", "voter"}, At: ago(3 * time.Second),
		},
	}
}

// machine is one whose clock is behind.
func machine() httpd.Host {
	return httpd.Host{
		Name: "db-17", OS: "linux", Arch: "amd64", Kernel: "6.1.0-9-amd64", CPUs: 2, Load: []float64{0.25, 0.5, 1}, Memory: 8 << 30,
		MemoryFree: 5 << 30, MemoryLimit: 1 << 30, Booted: ago(100 * 24 * time.Hour), Time: ago(9 * time.Second),
		Process: httpd.Process{
			PID: 4711, Go: "go1.x", Threads: 2, Goroutines: 63, Heap: 20 << 20, Reserved: 60 << 20, Resident: 80 << 20, OpenFiles: 41, MostFiles: 1024,
		},
	}
}

// pages serves events as the API does, five at a time.
func pages(all []httpd.Event) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		after, since := uint64(0), fsm.Time(0)
		if c, err := fsm.ParseCursor(q.Get("after")); err == nil {
			after = c.Seq
		}
		if d, err := time.ParseDuration(q.Get("since")); err == nil {
			since = ago(d)
		} else {
			_ = since.UnmarshalText([]byte(q.Get("since")))
		}
		rows, next, last, back := []httpd.Event{}, after, uint64(0), q.Has("reverse")
		in := slices.Clone(all)
		if back {
			slices.Reverse(in)
		}
		for _, e := range in {
			last = e.Seq
			if len(rows) == 5 || e.Seq <= after && !back || e.Seq >= after && back && after > 0 {
				continue
			}
			next = e.Seq
			if e.Time >= since && e.Type.Matches(q.Get("type")) && (q.Get("cluster") == "" || q.Get("cluster") == e.Cluster) {
				rows = append(rows, e)
			}
		}
		if !back || next > last {
			w.Header().Set("X-Muster-Next", fsm.Cursor{Epoch: "e1", Seq: next}.String())
		}
		reply(w, http.StatusOK, rows)
	}
}

// usage has each unit, with and without a limit, near it and at it.
func usage() httpd.Usage {
	return httpd.Usage{Peer: "peer-a", Time: ago(0), Usage: []httpd.UsageRow{
		{Name: "clusters", Of: httpd.OfGroup, Unit: httpd.UnitCount, Used: 4},
		{Name: "tokens", Of: httpd.OfGroup, Unit: httpd.UnitCount, Used: 850, Limit: 1000},
		{
			Name: "events_size", Of: httpd.OfGroup, Unit: httpd.UnitBytes, Used: 67 << 20, Limit: 64 << 20, Rolls: true,
			Setting: "retention.bytes",
		},
		{
			Name: "events_age", Of: httpd.OfGroup, Unit: httpd.UnitSeconds, Used: 3 * 24 * 3600, Limit: 30 * 24 * 3600, Rolls: true,
			Setting: "retention.age",
		},
		{Name: "open_files", Of: httpd.OfPeer, Unit: httpd.UnitCount, Used: 1000, Limit: 1024, Setting: "LimitNOFILE"},
		{Name: "log_since_snapshot", Of: httpd.OfPeer, Unit: httpd.UnitBytes, Used: 1 << 20, Limit: 16 << 20, Rolls: true},
		{Name: "log_file", Of: httpd.OfPeer, Unit: httpd.UnitBytes, Used: 3 << 20},
	}}
}
