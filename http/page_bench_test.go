package httpd_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/musterhq/muster/fsm"
)

// large is a face over so many clusters of ten nodes that have all answered.
func large(b *testing.B, clusters int) *face {
	b.Helper()
	f := newFace(b)
	d := f.applied("prod")
	names := make([]string, clusters)
	for i := range names {
		names[i] = fmt.Sprintf("cluster-%05d", i)
		f.listed(d, names[i], tenNodes(names[i])...)
		f.storm(names[i], 0)
		seq := f.state.Read().Meta().Seq
		f.apply(&fsm.EventsTrim{First: seq - min(seq, 1000)})
	}
	return f
}

// BenchmarkPages reads what people and programs ask for, of 10,000 clusters of ten nodes.
func BenchmarkPages(b *testing.B) {
	f := large(b, 10_000)
	for _, c := range []struct{ name, target string }{
		{"clusters", "/v1/clusters?limit=100&after=cluster-05000"},
		{"clusters of which few match", "/v1/clusters?limit=100&filter=" + escape(`health != "healthy"`)},
		{"clusters of which few match by label", "/v1/clusters?limit=100&filter=" + escape(`labels.tier == "gold" or nodes.unwell != 0`)},
		{"nodes", "/v1/nodes?limit=1000&after=cluster-05000/x"},
		{"nodes of which few match", "/v1/nodes?limit=100&filter=" + escape(`reach.value == "unreachable"`)},
		{"one cluster", "/v1/cluster/cluster-05000"},
		{"nodes of one cluster", "/v1/cluster/cluster-05000/nodes"},
		{"one node", "/v1/cluster/cluster-05000/node/cluster-05000-05"},
		{"targets", "/v1/sd/prometheus"},
		{"events", "/v1/events?limit=100"},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			var size int
			for b.Loop() {
				req := httptest.NewRequestWithContext(b.Context(), http.MethodGet, c.target, nil)
				k := &sink{header: http.Header{}}
				f.server.Handler().ServeHTTP(k, req)
				size = k.bytes
			}
			b.ReportMetric(float64(size), "B/answer")
		})
	}
}
