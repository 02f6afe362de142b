package agent

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

// TestBlindPeerIsDoubted cuts one peer from all nodes: none becomes unreachable by its word, it is doubted in one event, and
// the others do its work until it sees again.
func TestBlindPeerIsDoubted(t *testing.T) {
	for name, pick := range map[string]func(w *world) *peer{
		"leader": (*world).leader, "follower": (*world).follower,
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, 3, func(t *testing.T, w *world) {
				w.settled(20, 3, nil)
				leader, blind := w.leader(), pick(w)
				before := leader.seq()
				w.blind(blind, addrsOf(20, 3)...)
				leader.await("doubt", told(before, fsm.PeerDoubted, 1))
				leader.tells(before, string(fsm.PeerDoubted), fsm.PeerDoubted)
				doubted := leader.machine.Read().Peer(blind.id).Doubted
				since := leader.machine.Read().Meta().Time
				if by := doubted.Sub(since); by < 55*fsm.Second || by > fsm.Minute {
					t.Errorf("doubted for %s, want a minute", by)
				}
				w.pass(5 * time.Second) // what it holds comes back
				for range 100 {
					w.pass(500 * time.Millisecond)
					if held := refreshesOf(leader.machine.Read(), blind); len(held) > 0 {
						t.Fatalf("the doubted peer holds %d claims", len(held))
					}
				}
				leader.await("fresh views", observed(since.Add(45*fsm.Second)))
				w.heal()
				leader.tells(before, "node.*")
				leader.tells(before, "shard.*")
				leader.awaitFor(3*time.Minute, "work for the peer that sees again", claimedOnce(w, blind))
				leader.tells(before, "node.*")
			})
		})
	}
}

// claimedOnce says whether a peer did a refresh after now that was not in vain.
func claimedOnce(w *world, p *peer) func(*fsm.Reader) bool {
	since := w.leader().machine.Read().Meta().Time
	return func(r *fsm.Reader) bool {
		for s := range r.Schedules() {
			if s.Last.Peer == p.id && s.Last.At > since && s.Subject.Kind == fsm.KindRefresh && s.Notes.IsZero() {
				return true
			}
		}
		return false
	}
}

// TestDeadNodeIsToldInTime kills and silences nodes at many moments of their interval. The event comes within what the design
// allows; a node that stays dead makes no more facts; and back again it is reachable within its interval.
func TestDeadNodeIsToldInTime(t *testing.T) {
	const interval, timeout = 5 * time.Second, time.Second
	for _, c := range []struct {
		name   string
		reason string
		within time.Duration
		die    func(w *world, addr string)
		live   func(w *world, addr string)
	}{
		{
			name: "refused", reason: fsm.ReasonRefused, within: interval + time.Second,
			die:  func(w *world, addr string) { w.nodes.kill(addr) },
			live: func(w *world, addr string) { w.nodes.say(addr, documentOf(0, 1)) },
		},
		{
			name: "silent", reason: fsm.ReasonTimeout, within: interval + 2*timeout + time.Second,
			die:  func(w *world, addr string) { w.nodes.slow(time.Hour, addr) },
			live: func(w *world, addr string) { w.nodes.slow(0, addr) },
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, 3, func(t *testing.T, w *world) {
				w.settled(3, 3, nil)
				leader, addr := w.leader(), addrOf(0, 1)
				for i := range 8 {
					before, began := leader.seq(), time.Now()
					c.die(w, addr)
					leader.await("unreachable", reach(0, 1, fsm.NotReachable))
					if took := time.Since(began); took > c.within {
						t.Errorf("told after %s, allowed are %s", took, c.within)
					}
					if got := nodeOf(leader.machine.Read(), 0, 1).Reach.Reason; got != c.reason {
						t.Errorf("the reason is %q, want %q", got, c.reason)
					}
					w.pass(2 * time.Second) // what the confirming round left over
					stood := leader.index()
					w.pass(20*time.Second + time.Duration(i)*613*time.Millisecond)
					for _, done := range commandsOf[*fsm.RefreshComplete](leader.logged(stood)) {
						t.Errorf("a standing dead node makes a completion with %d facts, notes %+v", len(done.Facts), done.Notes)
					}
					began = time.Now()
					c.live(w, addr)
					leader.await("reachable", reach(0, 1, fsm.Reachable))
					if took := time.Since(began); took > interval+500*time.Millisecond {
						t.Errorf("back after %s", took)
					}
					leader.tells(before, "*", fsm.NodeUnreachable, fsm.ClusterHealthChanged, fsm.NodeReachable, fsm.ClusterHealthChanged)
					w.pass(2 * time.Second)
				}
			})
		})
	}
}

// TestDeathIsConfirmedByAnother looks at who made a node unreachable: two peers asked it.
func TestDeathIsConfirmedByAnother(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		w.settled(10, 3, nil)
		leader := w.leader()
		before := leader.index()
		for c := range 10 {
			w.nodes.kill(addrOf(c, 2))
		}
		for c := range 10 {
			leader.await("unreachable", reach(c, 2, fsm.NotReachable))
		}
		holder := map[uint64]string{}
		for _, e := range leader.logged(before) {
			for _, c := range e.commands {
				done, ok := c.(*fsm.RefreshComplete)
				if !ok {
					continue
				}
				f := done.Notes.Failure("n2")
				switch {
				case f == nil:
				case len(done.Facts) == 0:
					holder[done.Cluster] = f.Peers[0]
				case f.Count != 2 || len(f.Peers) != 2 || holder[done.Cluster] == "":
					t.Errorf("cluster %d: unreachable by %+v after a failure of %q", done.Cluster, f, holder[done.Cluster])
				}
			}
		}
		if len(holder) != 10 {
			t.Errorf("first failures of %d clusters, want 10", len(holder))
		}
	})
}

// TestPrimariesSwap swaps the roles of two nodes, at once and with a while in which both claim to be primary: one event tells
// who leads now, and none that two did.
func TestPrimariesSwap(t *testing.T) {
	for name, overlap := range map[string]time.Duration{"at once": 0, "both for a while": 400 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, 3, func(t *testing.T, w *world) {
				w.settled(1, 3, nil)
				leader := w.leader()
				for i := range 6 {
					before, from, to := leader.seq(), i%2, 1-i%2
					w.nodes.say(addrOf(0, to), withRole(0, to, fsm.RolePrimary))
					if overlap > 0 {
						s := refreshOf(leader.machine.Read(), 0)
						leader.await("a round that sees both", func(r *fsm.Reader) bool { return r.Schedule(s).Notes != nil })
						w.pass(overlap)
					}
					w.nodes.say(addrOf(0, from), withRole(0, from, fsm.RoleReplica))
					leader.await("the new primary", told(before, fsm.ShardPrimaryChanged, 1))
					w.pass(11 * time.Second)
					var got []fsm.EventType
					for _, e := range leader.events(before, "*") {
						if e.Type != fsm.ShardChanged {
							got = append(got, e.Type)
						}
					}
					if diff := cmp.Diff([]fsm.EventType{fsm.ShardPrimaryChanged}, got); diff != "" {
						t.Errorf("swap %d (-want +got):\n%s", i, diff)
					}
				}
			})
		})
	}
}

func withRole(c, i int, role string) refresh.Document {
	doc := documentOf(c, i)
	doc.Shards[0].Role = role
	return doc
}

// TestBlindPeerTakesOver makes a peer that reaches no node the leader, again and again: it is not the only one that could ask
// just because it has not heard the others yet.
func TestBlindPeerTakesOver(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		w.settled(20, 3, nil)
		for range 2 {
			blind := w.follower()
			before := blind.seq()
			w.blind(blind, addrsOf(20, 3)...)
			err := w.leader().raft.LeadershipTransferToServer(raft.ServerID(blind.id), raft.ServerAddress(blind.id)).Error()
			if err != nil {
				t.Fatal(err)
			}
			w.until("it to lead", func() bool { return blind.term.Load() != nil })
			w.pass(50 * time.Second)
			blind.tells(before, "node.*")
			w.heal()
			w.pass(2 * time.Minute)
		}
	})
}
