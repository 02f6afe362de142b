package million_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/musterhq/muster/scripts/bench/million"
)

// BenchmarkGroup fills groups and runs them for two intervals: what grows faster than the nodes shows in the bytes and
// allocations of one.
func BenchmarkGroup(b *testing.B) {
	for _, nodes := range []int{10_000, 100_000, 300_000} {
		config := million.Config{Clusters: nodes / 10, Nodes: 10, Peers: 10}
		b.Run(fmt.Sprintf("fill/nodes=%d", nodes), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := million.New(b.Context(), config); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("run/nodes=%d", nodes), func(b *testing.B) {
			g, err := million.New(b.Context(), config)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				load := million.Load{Peers: 10, Interval: 30 * time.Second, Span: 30 * time.Second, InFlight: 4096}
				if _, err := g.Run(b.Context(), load); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
