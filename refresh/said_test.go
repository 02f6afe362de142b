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

// A tag stands for what one prober was told at one address, and for nothing elsewhere.
func TestSaidElsewhere(t *testing.T) {
	var c saidCache
	c.keep(1, "n", said{from: "sidecar 127.0.0.1:1", tag: "a"})
	if got := c.of(1, "n", "sidecar 127.0.0.1:1").tag; got != "a" {
		t.Fatalf("its own tag is %q", got)
	}
	if got := c.of(1, "n", "sidecar 127.0.0.1:2").tag; got != "" {
		t.Fatalf("the tag of another address is %q", got)
	}
}
