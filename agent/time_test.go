package agent

import (
	"fmt"
	"strings"
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

// TestClocksADayApart starts peers whose wall clocks are a day apart and gives leadership to each in turn: only the one
// whose clock is between the others' keeps it; each refresh and run keeps its pace, and logical time never goes back.
func TestClocksADayApart(t *testing.T) {
	inEmptyBubble(t, func(t *testing.T, w *world) {
		for i := range 3 {
			p := w.add(fmt.Sprintf("peer-%c", 'a'+i))
			p.offset.Store(int64(time.Duration(i-1) * day))
			p.start(func(c *Config) { c.BootstrapExpect = 3 })
		}
		w.settled(10, 2, nil)
		middle, checked := w.peers[1], uint64(0)
		for range 2 {
			for _, p := range w.peers {
				if leader := w.leader(); leader != p {
					if err := leader.raft.LeadershipTransferToServer(raft.ServerID(p.id), raft.ServerAddress(p.id)).Error(); err != nil {
						t.Fatal(err)
					}
				}
				w.until("the peer whose clock is right to lead", func() bool { return middle.term.Load() != nil })
				w.pass(6 * time.Second)
				w.pace("after "+p.name+" led", 10, 2)
				checked = p.checkTimes(checked)
			}
		}
		if w.leader() != middle {
			t.Errorf("%s leads", w.leader().name)
		}
		middle.tells(0, "claim.*")
		middle.tells(0, string(fsm.NodeUnreachable))
		w.agree()
	})
}

// TestWallClocksJump has the wall clock of the leader, of a follower and of a worker jump a day forward, back, and a day
// behind: there is neither a storm nor a stop, and logical time goes on. A leader whose clock jumped hands over and says so
// once; any other peer's clock moves nothing.
func TestWallClocksJump(t *testing.T) {
	for _, who := range []string{"leader", "follower", "worker"} {
		t.Run(who, func(t *testing.T) {
			inBubble(t, 3, func(t *testing.T, w *world) {
				worker := w.add("worker")
				worker.start(func(c *Config) { c.Worker = true })
				w.settled(10, 2, nil)
				leader, before := w.leader(), w.leader().seq()
				leader.await("the worker's row", rows(4))
				p := map[string]*peer{"leader": leader, "follower": w.follower(), "worker": worker}[who]
				checked := uint64(0)
				for _, to := range []time.Duration{day, 0, -day, 0} {
					p.offset.Store(int64(to))
					w.pace(fmt.Sprintf("the clock is at %s", to), 10, 2)
					checked = leader.checkTimes(checked)
				}
				leader.tells(before, "claim.*")
				leader.tells(before, string(fsm.NodeUnreachable))
				if who != "leader" {
					leader.tells(before, "leader.*")
					return
				}
				leader.tells(before, "leader.*", fsm.LeaderChanged)
				leader.tells(before, string(fsm.OperatorActed), fsm.OperatorActed)
				if e := leader.events(before, string(fsm.OperatorActed))[0]; e.After.(*fsm.ActionPart).Action != "clock_off" {
					t.Errorf("told is %+v", e.After)
				}
				if said := leader.said.with("ERROR", "is off"); len(said) != 1 || !strings.Contains(said[0], "24h0m0s") {
					t.Errorf("logged is %q", said)
				}
			})
		})
	}
}

// TestTwoClocksApart sets the clocks of two voters apart: nobody knows which is right, and leadership stays.
func TestTwoClocksApart(t *testing.T) {
	inBubble(t, 2, func(t *testing.T, w *world) {
		leader, before := w.leader(), w.leader().seq()
		leader.offset.Store(int64(day))
		w.pass(time.Minute)
		leader.tells(before, "leader.*")
		leader.tells(before, string(fsm.OperatorActed))
	})
}
