package fsm_test

import (
	"bytes"
	"testing"

	"github.com/musterhq/muster/fsm"
)

// BenchmarkRestore is what a peer does when it starts: it reads a snapshot of 10,000 clusters of ten nodes, and of as many
// events as are kept.
func BenchmarkRestore(b *testing.B) {
	const clusters, nodes = 10_000, 10
	snap := discovered(b, clusters, nodes).snapshot()
	b.SetBytes(int64(len(snap)))
	b.ReportAllocs()
	for b.Loop() {
		if err := fsm.NewState().Restore(bytes.NewReader(snap)); err != nil {
			b.Fatal(err)
		}
	}
}
