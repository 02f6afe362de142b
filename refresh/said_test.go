package refresh

import (
	"testing"
	"testing/synctest"
	"time"
)

func saidWith(version uint64, tags ...string) *said {
	s := &said{stand: stand{version: version}}
	for _, tag := range tags {
		s.told = append(s.told, told{tag: tag})
	}
	return s
}

// A cluster that this peer asks no more is forgotten, one that still says the same is not.
func TestSaidOfClustersThatAreGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c saidCache
		c.keep(1, saidWith(1, "a"))
		c.keep(2, saidWith(1, "b"))
		for range 12 {
			<-time.After(time.Minute)
			c.touch(2)
			c.sweep()
		}
		if c.of(1) != nil || c.of(2) == nil {
			t.Fatalf("kept: %v and %v", c.of(1), c.of(2))
		}
	})
}

// A node that changes its tag though nothing changes is not asked by it at that version, nor are the others, for a while.
func TestSaidWithATagThatMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c saidCache
		c.keep(1, saidWith(1, "a", "b"))
		if !c.of(1).whole() {
			t.Fatal("a first round is of no use")
		}
		for _, tag := range []string{"c", "c", "d", "d"} {
			<-time.After(2 * time.Minute)
			c.keep(1, saidWith(1, "a", tag))
			c.sweep()
			if c.of(1).whole() {
				t.Fatal("a tag that moved is used again")
			}
		}
		c.keep(1, saidWith(2, "a", "e"))
		if !c.of(1).whole() {
			t.Fatal("it is of no use at another version")
		}
		c.keep(1, saidWith(2, "a", "f"))
		for range 6 {
			<-time.After(2 * time.Minute)
			c.sweep()
			c.keep(1, saidWith(2, "a", "f"))
		}
		if !c.of(1).whole() {
			t.Fatal("it is not tried again")
		}
	})
}

// A cluster whose next round is to wait is remembered for as long as it is there.
func TestLateClustersThatAreGone(t *testing.T) {
	var l lateSet
	l.sweep(func(uint64) bool { return true })
	l.note(1, true)
	l.note(2, true)
	l.sweep(func(cluster uint64) bool { return cluster == 1 })
	if len(l.clusters) != 1 || !l.has(2) {
		t.Errorf("kept: %v", l.clusters)
	}
}
