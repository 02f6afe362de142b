package agent

import (
	"syscall"
	"testing"
	"time"

	"github.com/musterhq/muster/agent/gossip"
	"github.com/musterhq/muster/fsm"
)

// TestQuietHour lets a group of three live for a virtual hour in which nothing changes: no event, a bounded rate of entries,
// each cluster refreshed at its pace. The time it costs is logged.
func TestQuietHour(t *testing.T) {
	lan := gossip.LAN()
	inBubbleOf(t, 3, func(c *Config) { c.Seams.GossipTiming = &lan }, func(t *testing.T, w *world) {
		w.settled(10, 3, func(s *fsm.Spec) { s.Interval, s.Refresh.Interval = fsm.Minute, 30*fsm.Second })
		leader, nodes := w.leader(), addrsOf(10, 3)
		seq, entries, polls := leader.seq(), leader.machine.Entries(), w.nodes.polls(nodes...)
		began := processorTime(t)
		w.pass(time.Hour)
		cost := processorTime(t) - began
		entries, polls = leader.machine.Entries()-entries, w.nodes.polls(nodes...)-polls
		t.Logf("one virtual hour of three peers, 30 nodes, cost %s of processor time; %d entries, %d polls", cost, entries, polls)
		leader.tells(seq, "*")
		if perSecond := float64(entries) / 3600; perSecond > 5 {
			t.Errorf("%.1f entries per second while nothing changes", perSecond)
		}
		if polls < 118*30 || polls > 122*30 {
			t.Errorf("%d polls of 30 nodes in an hour, want each to be asked about 120 times", polls)
		}
	})
}

// processorTime is what this process has used; clocks stand still in a bubble.
func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
