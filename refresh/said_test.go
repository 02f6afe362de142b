package refresh

import (
	"testing"
	"testing/synctest"
	"time"
)

// A node that is gone is forgotten though the rest of its cluster is still asked.
func TestSaidOfNodesThatAreGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c saidCache
		c.keep(1, "gone", said{tag: "a"})
		c.keep(1, "here", said{tag: "b"})
		for range 12 {
			<-time.After(time.Minute)
			if c.of(1, "here", "").tag != "b" {
				t.Fatal("a node that is asked was forgotten")
			}
			c.sweep()
		}
		if got := len(c.clusters[1]); got != 1 {
			t.Fatalf("%d nodes are kept, want 1", got)
		}
		<-time.After(forgetAfter + time.Minute)
		c.sweep()
		if len(c.clusters) != 0 {
			t.Fatal("a cluster that nobody asks is kept")
		}
	})
}
