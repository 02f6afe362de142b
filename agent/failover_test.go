package agent

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

// claimed says whether each of some peers holds an open claim of a refresh.
func claimed(some []*peer) func(*fsm.Reader) bool {
	return func(r *fsm.Reader) bool {
		for _, p := range some {
			if len(refreshesOf(r, p)) == 0 {
				return false
			}
		}
		return true
	}
}

// refreshesOf are the open claims on clusters that a peer holds.
func refreshesOf(r *fsm.Reader, p *peer) (out []*fsm.Claim) {
	for c := range r.ClaimsOf(p.id) {
		if c.Subject.Kind == fsm.KindRefresh {
			out = append(out, c)
		}
	}
	return out
}

// TestLeaderLostInMidRefresh cuts the leader off while every peer asks slow nodes. Another leads, refreshes go on and what
// changes is told once; the old leader steps down, and when it is back it holds what the others hold.
func TestLeaderLostInMidRefresh(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		w.settled(40, 2, nil)
		w.nodes.slow(700*time.Millisecond, addrsOf(40, 2)...)
		old := w.leader()
		old.await("claims of all peers", claimed(w.peers))
		before := old.seq()
		w.isolate(old)
		cut := time.Now()

		next := w.leaderOf(w.others(old))
		next.await("refreshes of another leader", observed(fsm.TimeOf(cut)))
		if took := time.Since(cut); took > 8*time.Second {
			t.Errorf("all refreshes flowed again only after %s", took)
		}
		w.until("the old leader to step down", func() bool {
			return old.raft.State() != raft.Leader && old.term.Load() == nil
		})
		w.nodes.say(addrOf(3, 1), versioned(3, 1, "7.2.0"))
		next.await("a change told", told(before, fsm.NodeInfoChanged, 1))
		if old.seq() > before {
			t.Errorf("the peer that was cut off made %d events", old.seq()-before)
		}

		w.heal()
		old.await("the change, after healing", told(before, fsm.NodeInfoChanged, 1))
		w.pass(time.Minute)
		next.tells(before, "node.*", fsm.NodeInfoChanged)
		next.tells(before, "shard.*")
		next.tells(before, "cluster.*", fsm.ClusterVersionsMixed)
	})
}

// TestLeaderStopsGracefully stops a leader in mid-refresh while a client writes through another peer: leadership is handed
// over, its claims are given back and not expired, no acknowledged write is lost, and none waits for an election.
func TestLeaderStopsGracefully(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		w.settled(40, 2, nil)
		w.nodes.slow(700*time.Millisecond, addrsOf(40, 2)...)
		old := w.leader()
		other := w.others(old)[0]
		old.await("claims of all peers", claimed(w.peers))
		before := old.seq()
		stop := make(chan struct{})
		written := make(chan writes, 1)
		go func() { written <- other.writeUntil(stop) }()

		w.pass(100 * time.Millisecond)
		old.end()
		w.pass(20 * time.Second)
		close(stop)
		got := <-written
		if got.failed != nil || got.longest > 500*time.Millisecond {
			t.Errorf("%d writes, the longest took %s, error %v; want none to wait for an election",
				got.acknowledged, got.longest, got.failed)
		}
		if n := len(w.leader().events(before, string(fsm.OperatorActed))); n != got.acknowledged {
			t.Errorf("%d writes were acknowledged and %d are in the log", got.acknowledged, n)
		}
		other.tells(before, "leader.*", fsm.LeaderChanged)
		other.tells(before, "claim.*")
		other.tells(before, "node.*")
	})
}

// TestWorkerStopsGracefully stops a peer that does not lead: nothing expires, since its claims are given back and it gets no
// new ones.
func TestWorkerStopsGracefully(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		w.settled(40, 2, nil)
		w.nodes.slow(900*time.Millisecond, addrsOf(40, 2)...)
		for range 5 {
			leader := w.leader()
			p := w.others(leader)[0]
			leader.await("claims of all peers", claimed(w.peers))
			before := leader.seq()
			p.end()
			leader.await("its row", func(r *fsm.Reader) bool { return r.Peer(p.id).Status == fsm.PeerGone })
			w.pass(20 * time.Second)
			leader.tells(before, "claim.*")
			p.start(nil)
			leader.await("all peers' rows", rows(3))
		}
	})
}

// writes is what became of a client's writes.
type writes struct {
	acknowledged int
	longest      time.Duration
	failed       error
}

// writeUntil writes through a peer, one after the other, until stop is closed.
func (p *peer) writeUntil(stop <-chan struct{}) (out writes) {
	for {
		select {
		case <-stop:
			return out
		case <-time.After(20 * time.Millisecond):
		}
		began := time.Now()
		res, err := p.Propose(p.w.t.Context(), &fsm.OperatorAct{Action: fmt.Sprint(out.acknowledged), Cause: operator})
		if err == nil {
			err = res.Err()
		}
		out.longest = max(out.longest, time.Since(began))
		if err != nil {
			out.failed = errors.Join(out.failed, err)
			continue
		}
		out.acknowledged++
	}
}

// TestWriteOfIsolatedLeaderIsUnknown writes through a leader that was just cut off: its outcome is unknown, and the others
// go on without it.
func TestWriteOfIsolatedLeaderIsUnknown(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		old := w.leader()
		w.isolate(old)
		_, err := old.Propose(t.Context(), &fsm.OperatorAct{Action: "into the void", Cause: operator})
		if !errors.Is(err, fsm.ErrUnknown) {
			t.Errorf("a write in flight when its leader was cut off gave: %v, want unknown", err)
		}
		next := w.leaderOf(w.others(old))
		next.apply(&fsm.OperatorAct{Action: "goes on", Cause: operator})
		_, err = old.Propose(t.Context(), &fsm.OperatorAct{Action: "no leader here", Cause: operator})
		if !errors.Is(err, fsm.ErrUnavailable) {
			t.Errorf("a write through a peer without a leader gave: %v, want unavailable", err)
		}
		w.heal()
		old.await("what the others did", told(0, fsm.OperatorActed, 1))
		w.pass(10 * time.Second)
		next.tells(0, string(fsm.OperatorActed), fsm.OperatorActed)
	})
}

// TestReadsAreFresh reads on each peer what was just written through another.
func TestReadsAreFresh(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		for i := range 30 {
			writer, reader := w.peers[i%3], w.peers[(i+1+i/3%2)%3]
			res := writer.apply(&fsm.OperatorAct{Action: "write", Cause: operator})
			r, _, err := replicaFace{reader.Agent}.Read(t.Context(), httpd.Default)
			if err != nil {
				t.Fatal(err)
			}
			if r.Meta().Index < res.Index {
				t.Fatalf("%s read at %d what was written at %d", reader.name, r.Meta().Index, res.Index)
			}
		}
	})
}

// TestReadsWithoutQuorum reads on a leader and on a follower that are cut off: default reads fail and say what is possible,
// stale ones answer.
func TestReadsWithoutQuorum(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		leader := w.leader()
		for _, p := range []*peer{leader, w.others(leader)[0]} {
			w.isolate(p)
			for range 2 { // as the cut is made, and when it is known
				_, _, err := replicaFace{p.Agent}.Read(t.Context(), httpd.Default)
				if !errors.Is(err, fsm.ErrUnavailable) || !strings.Contains(err.Error(), "?stale") {
					t.Errorf("%s, cut off: read gave: %v", p.name, err)
				}
			}
			r, contact, err := replicaFace{p.Agent}.Read(t.Context(), httpd.Stale)
			if err != nil || r.Meta().Group == "" || contact.Known {
				t.Errorf("%s, cut off: stale read gave: %v, contact %+v", p.name, err, contact)
			}
			w.heal()
			w.until("a leader everywhere", func() bool {
				_, err := p.fresh(t.Context())
				return err == nil
			})
		}
	})
}

// TestAskedThroughFollower asks for a refresh through a follower: the claim comes back, and while it is open so does its
// name with the refusal.
func TestAskedThroughFollower(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		w.settled(1, 3, func(s *fsm.Spec) { s.Refresh.Interval = fsm.Minute })
		w.nodes.slow(500*time.Millisecond, addrsOf(1, 3)...)
		p := w.follower()
		subject := refreshOf(p.machine.Read(), 0)
		first, err := p.Ask(t.Context(), subject, operator)
		if err != nil || first.Err() != nil || first.Claim == nil {
			t.Fatalf("asking gave %+v, %v", first, err)
		}
		second, err := p.Ask(t.Context(), subject, operator)
		if err == nil {
			err = second.Err()
		}
		if !errors.Is(err, fsm.ErrClaimed) || second.Claim == nil || second.Claim.Token != first.Claim.Token {
			t.Errorf("asking again gave %+v, %v", second, err)
		}
		p.await("the refresh", func(r *fsm.Reader) bool { return r.Meta().Index > first.Index && r.Claim(subject) == nil })
		if at := p.machine.Read().Schedule(subject).Last.At; at != first.Claim.Granted {
			t.Errorf("last refresh is of %s, not of the claim of %s", at, first.Claim.Granted)
		}
	})
}

// TestFoundedInAnyOrder starts voters-to-be in every order, the last a minute late: nothing happens before, and exactly
// those three found one group.
func TestFoundedInAnyOrder(t *testing.T) {
	for _, order := range [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		t.Run(fmt.Sprint(order), func(t *testing.T) {
			inEmptyBubble(t, func(t *testing.T, w *world) {
				for i := range 3 {
					w.add(fmt.Sprintf("peer-%c", 'a'+i))
				}
				expect := func(c *Config) { c.BootstrapExpect = 3 }
				for _, i := range order[:2] {
					w.peers[i].start(expect)
				}
				w.pass(time.Minute)
				for _, i := range order[:2] {
					if last := w.peers[i].raft.LastIndex(); last != 0 {
						t.Fatalf("%s began a log of %d entries with two of three", w.peers[i].name, last)
					}
				}
				w.peers[order[2]].start(expect)
				for _, p := range w.peers {
					p.await("all rows", rows(3))
				}
				servers, err := w.leader().configuration()
				if err != nil || len(servers) != 3 || slices.ContainsFunc(servers, func(s raft.Server) bool {
					return s.Suffrage != raft.Voter
				}) {
					t.Errorf("raft configuration is %+v, %v", servers, err)
				}
				w.agree()
			})
		})
	}
}
