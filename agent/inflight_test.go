package agent

import (
	"slices"
	"testing"
	"time"

	"github.com/musterhq/muster/agent/consensus"
	"github.com/musterhq/muster/agent/replica"
	"github.com/musterhq/muster/fsm"
)

// watched is a configuration whose entries a referee judges as each peer applies them.
func watched(f *referee) func(*Config) {
	return func(c *Config) {
		c.Seams.Raft = func(p *consensus.Parts) { p.FSM = &refereed{p.FSM.(*replica.Machine), f, c.Name} }
	}
}

// TestLeaderLostWithAHundredInFlight loses the leader while a hundred refreshes are under way, each with news: by a
// crash, and by a cut after which it comes back with what it was told. No claim is completed twice, each piece of news is
// told once, all work moves to others, and who comes late changes nothing.
func TestLeaderLostWithAHundredInFlight(t *testing.T) {
	const clusters = 130
	for _, way := range []string{"crash", "cut"} {
		t.Run(way, func(t *testing.T) {
			f := newReferee()
			inBubbleOf(t, 3, watched(f), func(t *testing.T, w *world) {
				w.settled(clusters, 1, func(s *fsm.Spec) { s.Refresh.Interval, s.Refresh.Timeout = 2*fsm.Second, 5*fsm.Second })
				nodes := addrsOf(clusters, 1)
				w.nodes.slow(1800*time.Millisecond, nodes...)
				old := w.leader()
				inFlight := old.await("a hundred refreshes in flight", func(r *fsm.Reader) bool {
					return len(slices.Collect(r.Claims())) >= 100 && len(refreshesOf(r, old)) > 10
				})
				before, lost := old.seq(), refreshesOf(inFlight, old)
				for c := range clusters {
					w.nodes.say(addrOf(c, 0), versioned(c, 0, "7.2.0"))
				}
				if way == "crash" {
					old.crash()
				} else {
					w.isolate(old)
				}
				next := w.leaderOf(w.others(old))
				next.awaitFor(20*time.Second, "all news", told(before, fsm.NodeInfoChanged, clusters))
				if way == "cut" {
					w.heal()
					old.await("the news", told(before, fsm.NodeInfoChanged, clusters))
				}
				w.pass(20 * time.Second)
				next.tells(before, "node.*", slices.Repeat([]fsm.EventType{fsm.NodeInfoChanged}, clusters)...)
				next.moved(lost)
			})
			f.report(t)
			t.Logf("%d completions accepted, %d refused", f.accepted, f.refused)
		})
	}
}

// moved checks that claims were closed without their holder, and that their subjects were refreshed since.
func (p *peer) moved(lost []*fsm.Claim) {
	p.w.t.Helper()
	r := p.machine.Read()
	for _, c := range lost {
		open := r.Claim(c.Subject)
		if open != nil && open.Token == c.Token {
			p.w.t.Errorf("the claim %v is still open", c.Ticket())
		}
		if s := r.Schedule(c.Subject); s.Last.At <= c.Granted {
			p.w.t.Errorf("%v was not refreshed again", c.Subject)
		}
	}
}
