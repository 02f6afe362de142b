package fsm_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/musterhq/muster/fsm"
)

// BenchmarkMemory is what the state of 10,000 clusters of ten nodes takes, once all were discovered and have answered and as
// many events are kept as the default retention allows. The first figure is of everything, the second without the events.
func BenchmarkMemory(b *testing.B) {
	const clusters, nodes = 10_000, 10
	for b.Loop() {
		before := heap()
		l := discovered(b, clusters, nodes)
		all := heap() - before
		l.ok(&fsm.EventsTrim{First: l.state.Read().Meta().Seq})
		rows := heap() - before
		b.ReportMetric(float64(all)/clusters/nodes, "B/node")
		b.ReportMetric(float64(rows)/clusters/nodes, "B/node-without-events")
		runtime.KeepAlive(l)
	}
}

// heap is how much memory is in use once the garbage is gone.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// discovered is a log in which clusters of nodes were found by one run and have answered once, each of all they say of its
// own memory, as it is when it comes over a network.
func discovered(b *testing.B, clusters, nodes int) *log {
	b.Helper()
	l := newLog(b)
	d := l.discovery("fleet")
	claim := l.claim(fsm.KindRun, d.ID, fsm.WhyAsked)
	part := uint32(0)
	for c := range clusters {
		name := fmt.Sprintf("fleet-%05d", c)
		reading := fsm.Reading{Discovery: d.ID, Cluster: name, Now: l.now, Full: true}
		for n := range nodes {
			reading.Records = append(reading.Records, fsm.Record{
				Cluster: name, Node: fmt.Sprintf("%s-%d", name, n), Address: fmt.Sprintf("10.%d.%d.%d", c>>8, c&255, n), Port: 6379,
				Labels: map[string]string{"zone": fmt.Sprintf("z%d", n%3)},
			})
		}
		l.ok(&fsm.RunComplete{
			Discovery: d.ID, Settings: d.Settings, Token: claim.Token, Part: part,
			Enrolments: []fsm.Enrolment{fsm.Enlist(roll(l.state.Read(), name, d.ID), reading)},
		})
		part++
	}
	l.ok(&fsm.RunComplete{
		Discovery: d.ID, Settings: d.Settings, Token: claim.Token, Part: part, Outcome: &fsm.RunOutcome{Records: clusters * nodes, Changed: true},
	})
	for id := uint64(1); id <= uint64(clusters); id++ {
		claim := l.claim(fsm.KindRefresh, id, fsm.WhyDue)
		l.ok(l.round(claim, answers(l.state.Read(), id)...))
		if m := l.state.Read().Meta(); m.Seq-m.First > 110_000 {
			l.ok(&fsm.EventsTrim{First: m.Seq - 100_000})
		}
	}
	for range fsm.MaxPast {
		l.unchanged(clusters)
	}
	return l
}

// answers is what the nodes of a cluster say.
func answers(r *fsm.Reader, cluster uint64) []fsm.Report {
	var out []fsm.Report
	for n := range r.Nodes(cluster) {
		role := fsm.RoleReplica
		if strings.HasSuffix(n.ID, "-0") {
			role = fsm.RolePrimary
		}
		lag := int64(12)
		out = append(out, fsm.Report{
			Node: n.ID, Reachable: true, State: fsm.StateUp, NodeID: n.ID, ClusterID: n.ID[:len(n.ID)-2], Kind: "redis", Version: "7.2.4",
			Attributes: map[string]string{"zone": n.Endpoint.Labels["zone"]},
			Shards:     []fsm.Shard{{ID: "0", Role: role, Offset: &fsm.Offset{Value: 1 << 40, Unit: "bytes"}, LagMS: &lag}},
		})
	}
	return out
}

// unchanged has all clusters refreshed once more, with nothing to tell.
func (l *log) unchanged(clusters int) {
	l.t.Helper()
	for first := uint64(1); first <= uint64(clusters); first += 2048 {
		g := &fsm.ClaimGrant{Kind: fsm.KindRefresh, Peer: "01J0000000000000000000000P", TTL: 15_000, Reason: fsm.WhyDue}
		for id := first; id < min(first+2048, uint64(clusters)+1); id++ {
			g.IDs = append(g.IDs, id)
		}
		l.ok(g)
		u := &fsm.RefreshUnchanged{AsOf: l.index}
		for _, id := range g.IDs {
			u.Add(id, l.index, 3)
		}
		l.ok(u)
	}
}
