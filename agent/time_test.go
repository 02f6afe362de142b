package agent

import (
	"fmt"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/fsm"
)

const day = 24 * time.Hour

// pace counts polls and reads over a virtual minute, in which each node is to be asked 12 times and the source 6.
func (w *world) pace(what string, clusters, size int) {
	w.t.Helper()
	addrs := addrsOf(clusters, size)
	polls, reads, before := w.nodes.polls(addrs...), w.source.count(), w.leader().machine.Read().Meta().Time
	w.pass(time.Minute)
	polls, reads = w.nodes.polls(addrs...)-polls, w.source.count()-reads
	if n := len(addrs); polls < 11*n || polls > 13*n {
		w.t.Errorf("%s: %d polls of %d nodes in a minute, want each to be asked about 12 times", what, polls, n)
	}
	if reads < 5 || reads > 7 {
		w.t.Errorf("%s: the source was read %d times in a minute, want about 6", what, reads)
	}
	now := w.leader().machine.Read().Meta().Time
	if by := now.Sub(before).Std(); by < 55*time.Second {
		w.t.Errorf("%s: logical time went on by %s in a minute", what, by)
	}
}

// checkTimes checks that the entries of a peer's log after an index never go back in time, and returns up to where: the next
// check begins with the last entry of this one. A log does not keep all.
func (p *peer) checkTimes(after uint64) uint64 {
	p.w.t.Helper()
	upTo, last := p.index(), fsm.Time(0)
	for i, e := range p.logged(after) {
		if e.time < last {
			p.w.t.Errorf("%s: entry %d goes back in time, from %s to %s", p.name, i, last, e.time)
		}
		last = e.time
	}
	return upTo - 1
}

// TestClocksADayApart moves leadership between peers whose wall clocks are a day apart: each refresh and run keeps its
// pace, and logical time never goes back.
func TestClocksADayApart(t *testing.T) {
	inEmptyBubble(t, func(t *testing.T, w *world) {
		for i := range 3 {
			p := w.add(fmt.Sprintf("peer-%c", 'a'+i))
			p.offset.Store(int64(time.Duration(i-1) * day))
			p.start(func(c *Config) { c.BootstrapExpect = 3 })
		}
		w.settled(10, 2, nil)
		checked := uint64(0)
		for range 2 {
			for _, p := range w.peers {
				if w.leader() != p {
					err := w.leader().raft.LeadershipTransferToServer(raft.ServerID(p.id), raft.ServerAddress(p.id)).Error()
					if err != nil {
						t.Fatal(err)
					}
					w.until("it to lead", func() bool { return p.term.Load() != nil })
				}
				w.pass(6 * time.Second)
				w.pace(p.name+" leads", 10, 2)
				checked = p.checkTimes(checked)
			}
		}
		w.leader().tells(0, "claim.*")
		w.leader().tells(0, string(fsm.NodeUnreachable))
		w.agree()
	})
}

// TestWallClockJumpsMidTerm has the leader's wall clock jump a day forward, back, and a day behind: there is neither a storm
// nor a stop, and logical time goes on.
func TestWallClockJumpsMidTerm(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		w.settled(10, 2, nil)
		leader := w.leader()
		began, checked := leader.raft.CurrentTerm(), uint64(0)
		for _, to := range []time.Duration{day, 0, -day, 0} {
			leader.offset.Store(int64(to))
			w.pace(fmt.Sprintf("the clock is at %s", to), 10, 2)
			checked = leader.checkTimes(checked)
		}
		if leader.raft.CurrentTerm() != began || w.leader() != leader {
			t.Error("leadership changed")
		}
		leader.tells(0, "claim.*")
		leader.tells(0, string(fsm.NodeUnreachable))
	})
}
