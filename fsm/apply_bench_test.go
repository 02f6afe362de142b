package fsm_test

import (
	"bytes"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/musterhq/muster/fsm"
)

// fleet is a log with clusters of nodes, each node discovered and answered.
func fleet(b *testing.B, clusters, nodes int) *log {
	b.Helper()
	l := newLog(b)
	d := l.discovery("d")
	ids := manyNodes(nodes)
	var reports []fsm.Report
	for i, id := range ids {
		role := "replica"
		if i == 0 {
			role = "primary"
		}
		reports = append(reports, with(up(id, "0:"+role), func(r *fsm.Report) {
			r.NodeID, r.Attributes = id, map[string]string{"maxmemory": "1gb", "mode": "cluster"}
		}))
	}
	for i := range clusters {
		c := l.cluster(d, fmt.Sprintf("cluster-%05d", i), ids...)
		l.ok(l.round(l.claim(fsm.KindRefresh, c.ID, fsm.WhyDue), reports...))
		l.ok(&fsm.EventsTrim{First: l.state.Read().Meta().Seq - min(l.state.Read().Meta().Seq, 10_000)})
	}
	return l
}

// BenchmarkBeat is what an unchanged fleet costs each peer: an entry for each beat that closes the claims of the last one and
// grants those of the next 84 clusters of 10,000, as many as are due in 250 ms at an interval of 30 s. Reported by cluster.
func BenchmarkBeat(b *testing.B) {
	const clusters, due = 10_000, 84
	l := fleet(b, clusters, 1)
	next, closing := uint64(1), &fsm.RefreshUnchanged{}
	b.ReportAllocs()
	for b.Loop() {
		g := &fsm.ClaimGrant{Kind: fsm.KindRefresh, Peer: "p", TTL: 15_000, Reason: fsm.WhyDue}
		for range due {
			g.IDs = append(g.IDs, next)
			next = next%clusters + 1
		}
		a := l.entry(closing, g)
		if len(a.Granted) != due {
			b.Fatalf("%d claims granted", len(a.Granted))
		}
		closing = &fsm.RefreshUnchanged{AsOf: l.index}
		for _, id := range g.IDs {
			closing.Add(id, l.index, 3)
		}
	}
	b.ReportMetric(float64(b.Elapsed())/float64(b.N)/due, "ns/cluster")
}

// BenchmarkFirstRound applies the completion of a cluster's first round: ten nodes answer with all they say.
func BenchmarkFirstRound(b *testing.B) {
	l := newLog(b)
	ids := manyNodes(10)
	c := l.cluster(l.discovery("d"), "c", ids...)
	claim := l.claim(fsm.KindRefresh, c.ID, fsm.WhyDue)
	var reports []fsm.Report
	for _, id := range ids {
		reports = append(reports, with(up(id, "0:replica", "1:replica"), func(r *fsm.Report) {
			r.Attributes = map[string]string{"maxmemory": "1gb", "mode": "cluster"}
		}))
	}
	entry := fsm.Entry(l.now, fsm.Frame(l.round(claim, reports...)))
	snap := l.snapshot()
	b.ReportAllocs()
	b.ReportMetric(float64(len(entry)), "B/entry")
	var spent time.Duration
	for b.Loop() {
		s := restored(b, snap)
		began := time.Now()
		a, err := s.Apply(l.index+1, entry)
		spent += time.Since(began)
		if err != nil || a.Results[0].Error != nil {
			b.Fatal(err, a.Results[0].Error)
		}
	}
	b.ReportMetric(float64(spent)/float64(b.N), "ns/apply")
}

// BenchmarkSnapshot writes and restores the state of 100,000 nodes in 10,000 clusters.
func BenchmarkSnapshot(b *testing.B) {
	l := fleet(b, 10_000, 10)
	var snap bytes.Buffer
	if err := l.state.Read().WriteSnapshot(&snap); err != nil {
		b.Fatal(err)
	}
	b.Run("write", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(snap.Len()))
		for b.Loop() {
			if err := l.state.Read().WriteSnapshot(io.Discard); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("restore", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(snap.Len()))
		for b.Loop() {
			if err := fsm.NewState().Restore(bytes.NewReader(snap.Bytes())); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Logf("%d bytes", snap.Len())
}

// BenchmarkRead makes a reader and looks a cluster up.
func BenchmarkRead(b *testing.B) {
	l := fleet(b, 100, 3)
	b.Run("reader", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			l.state.Read()
		}
	})
	b.Run("view", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			r := l.state.Read()
			if v := r.View(r.Cluster("cluster-00050").ID); len(v.Nodes) != 3 {
				b.Fatal("no view")
			}
		}
	})
}
