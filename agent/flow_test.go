package agent

import (
	"testing"
	"time"

	"github.com/musterhq/muster/agent/entries"
	"github.com/musterhq/muster/agent/gossip"
	"github.com/musterhq/muster/fsm"
)

// unhurriedGossip notices a dead peer after some 6 s.
func unhurriedGossip(c *Config) {
	timing := gossip.LAN()
	c.Seams.GossipTiming = &timing
}

// oldest is the age of the oldest view as a peer has them.
func (p *peer) oldest() time.Duration {
	r, now := p.machine.Read(), fsm.TimeOf(time.Now())
	var age fsm.Duration
	for c := range r.Clusters("") {
		age = max(age, now.Sub(r.Schedule(fsm.Subject{Kind: fsm.KindRefresh, ID: c.ID}).Observed))
	}
	return age.Std()
}

// expiries are the events after a seq that tell of claims which expired.
func (p *peer) expiries(after uint64) (out []*fsm.ExpiredPart) {
	for _, e := range p.events(after, string(fsm.ClaimExpired)) {
		out = append(out, e.After.(*fsm.ExpiredPart))
	}
	return out
}

// TestAllFlowsAfterLeaderIsLost cuts the leader off while every peer asks nodes, again and again: long before gossip knows
// anything its claims are taken from it, and within 5 s no view is older than an interval and a second.
func TestAllFlowsAfterLeaderIsLost(t *testing.T) {
	inBubbleOf(t, 3, unhurriedGossip, func(t *testing.T, w *world) {
		const interval = 3 * time.Second
		w.settled(90, 2, func(s *fsm.Spec) { s.Refresh.Interval = fsm.DurationOf(interval) })
		w.nodes.slow(200*time.Millisecond, addrsOf(90, 2)...)
		for i := range 3 {
			w.pass(3*interval + time.Duration(i)*110*time.Millisecond)
			old := w.leader()
			old.await("claims of all peers", claimed(w.peers))
			before := old.seq()
			w.isolate(old)
			cut := time.Now()
			next := w.leaderOf(w.others(old))
			w.pass(5*time.Second - time.Since(cut))
			for end := time.Now().Add(2 * interval); time.Now().Before(end); w.pass(50 * time.Millisecond) {
				if age := next.oldest(); age > interval+time.Second {
					t.Fatalf("%s after the leader was lost a view is %s old", time.Since(cut), age)
				}
			}
			expired := next.expiries(before)
			if len(expired) != 1 || expired[0].Peer != old.name || expired[0].Reason != "peer_silent" {
				t.Errorf("claims expired: %+v, want once, and those of %s", expired, old.name)
			}
			next.tells(before, "node.*")
			w.heal()
			old.await("all peers' rows", rows(3))
		}
	})
}

// TestLeadershipGoesBackAndForth moves leadership between peers that live and are at work: nobody is taken for silent.
func TestLeadershipGoesBackAndForth(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		w.settled(40, 2, func(s *fsm.Spec) { s.Refresh.Interval = fsm.Second })
		w.nodes.slow(900*time.Millisecond, addrsOf(40, 2)...)
		before := w.leader().seq()
		for i := range 12 {
			old := w.leader()
			if err := old.raft.LeadershipTransfer().Error(); err != nil {
				t.Fatal(err)
			}
			w.leaderOf(w.others(old))
			w.pass(time.Duration(i) * 300 * time.Millisecond)
		}
		w.leader().tells(before, "claim.*")
	})
}

// TestSilentPeerKeepsItsTrust cuts a worker off the leader for some seconds, several times, before gossip calls it failed:
// each time its claims are taken from it at once, and it is given as many as ever once it is heard again.
func TestSilentPeerKeepsItsTrust(t *testing.T) {
	inBubbleOf(t, 3, unhurriedGossip, func(t *testing.T, w *world) {
		w.settled(40, 2, nil)
		w.nodes.slow(900*time.Millisecond, addrsOf(40, 2)...)
		leader := w.leader()
		worker := w.others(leader)[0]
		for range 3 {
			leader.await("claims of all peers", claimed(w.peers))
			before := leader.seq()
			w.net.Cut(worker.host, leader.host)
			cut := time.Now()
			leader.await("its claims expired", told(before, fsm.ClaimExpired, 1))
			if took := time.Since(cut); took > silentFor+2*entries.Beat {
				t.Errorf("claims of a silent peer expired only after %s", took)
			}
			w.heal()
			healed := time.Now()
			leader.await("several claims of its own", func(r *fsm.Reader) bool { return len(refreshesOf(r, worker)) > 2 })
			if took := time.Since(healed); took > 10*time.Second {
				t.Errorf("a peer that is heard again was given claims only after %s", took)
			}
			expired := leader.expiries(before)
			if len(expired) != 1 || expired[0].Peer != worker.name || expired[0].Reason != "peer_silent" {
				t.Errorf("claims expired: %+v, want once, and those of %s", expired, worker.name)
			}
			leader.tells(before, "peer.*")
			w.pass(10 * time.Second)
		}
	})
}
