package agent

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/agent/life"
	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

// suffrage is the raft configuration by peer's name; an id without a row is shown as it is.
func (w *world) suffrage() map[string]raft.ServerSuffrage {
	w.t.Helper()
	leader := w.leader()
	servers, err := leader.configuration()
	if err != nil {
		w.t.Fatal(err)
	}
	out := map[string]raft.ServerSuffrage{}
	for _, s := range servers {
		name := string(s.ID)
		if p := leader.machine.Read().Peer(name); p != nil {
			name = p.Name
		}
		out[name] = s.Suffrage
	}
	return out
}

// voting waits until the raft configuration has these voters and these others, by name.
func (w *world) voting(voters, others []string) {
	w.t.Helper()
	want := map[string]raft.ServerSuffrage{}
	for _, n := range voters {
		want[n] = raft.Voter
	}
	for _, n := range others {
		want[n] = raft.Nonvoter
	}
	var got map[string]raft.ServerSuffrage
	defer func() {
		if w.t.Failed() {
			w.t.Logf("configuration (-want +got):\n%s", cmp.Diff(want, got))
		}
	}()
	w.until("the raft configuration", func() bool { got = w.suffrage(); return cmp.Equal(want, got) })
}

// worked says whether a peer did a refresh.
func worked(p *peer) func(*fsm.Reader) bool {
	return func(r *fsm.Reader) bool {
		for s := range r.Schedules() {
			if s.Subject.Kind == fsm.KindRefresh && s.Last.Peer == p.id {
				return true
			}
		}
		return false
	}
}

// TestAllAddressesChange stops all peers and starts them elsewhere: they find each other, and all that was known is.
func TestAllAddressesChange(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		w.settled(4, 3, nil)
		before := stateOf(w.leader().machine.Read())
		group := w.leader().machine.Read().Meta().Group
		for _, p := range w.peers {
			p.end()
		}
		for i, p := range w.peers {
			p.host = fmt.Sprintf("127.0.2.%d", i+1)
		}
		for _, p := range w.peers {
			p.start(nil)
		}
		w.voting([]string{"peer-a", "peer-b", "peer-c"}, nil)
		leader := w.leader()
		for _, p := range w.peers {
			p.await("all views", func(r *fsm.Reader) bool { return r.Meta().Seq >= before.Seq })
			if diff := cmp.Diff(before.Views, stateOf(p.machine.Read()).Views); diff != "" {
				t.Errorf("%s: views (-before +after):\n%s", p.name, diff)
			}
			if got := p.machine.Read().Meta().Group; got != group {
				t.Errorf("%s: the group is %s, was %s", p.name, got, group)
			}
		}
		began := leader.machine.Read().Meta().Time
		leader.await("refreshes", observed(began))
		leader.tells(before.Seq, "node.*")
	})
}

// TestOneMovesWhileAway restarts one peer elsewhere while the others run.
func TestOneMovesWhileAway(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		p := w.leader()
		p.end()
		w.leader().apply(&fsm.OperatorAct{Action: "meanwhile", Cause: operator})
		p.host = "127.0.3.1"
		p.start(nil)
		p.await("what happened meanwhile", told(0, fsm.OperatorActed, 1))
		w.voting([]string{"peer-a", "peer-b", "peer-c"}, nil)
	})
}

// TestWipedPeerReplacesItself loses a peer with its disk: one with its name and a new disk takes its place and its vote, and
// the old id is gone for good. A second one of a name whose peer lives is not taken in.
func TestWipedPeerReplacesItself(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		w.settled(30, 3, nil)
		dead := w.follower()
		before := w.leader().seq()
		dead.crash()
		next := w.add(dead.name)
		next.start(nil)
		leader := w.leader()
		leader.await("the old row gone", func(r *fsm.Reader) bool { return r.Peer(dead.id) == nil })
		w.voting([]string{"peer-a", "peer-b", "peer-c"}, nil)
		leader.await("work of the new one", worked(next))
		leader.tells(before, "peer.*", fsm.PeerFailed, fsm.PeerJoined, fsm.PeerLeft)
		next.await("all views", healthy(30))

		twin := w.add(dead.name)
		twin.start(nil)
		w.pass(30 * time.Second)
		if twin.raft.LastIndex() != 0 {
			t.Error("a second peer of one name was taken in")
		}
		if said := twin.said.with("the group does not take this peer in"); len(said) == 0 || len(said) > 10 {
			t.Errorf("it said so %d times in 30s", len(said))
		}
		twin.end()
	})
}

// TestPeersJoin lets peers join one by one: each becomes a voter while fewer than settings say vote, then stands by; one
// started as a worker never votes, but refreshes. The clusters are so many that placement leaves none of seven peers without one:
// of 60, one peer in 1,750 such groups had none.
func TestPeersJoin(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		const clusters = 150
		w.settled(clusters, 1, nil)
		worker := w.add("worker")
		worker.start(func(c *Config) { c.Worker = true })
		w.voting([]string{"peer-a", "peer-b", "peer-c"}, []string{"worker"})
		w.add("peer-d").start(nil)
		w.add("peer-e").start(nil)
		w.voting([]string{"peer-a", "peer-b", "peer-c", "peer-d", "peer-e"}, []string{"worker"})
		w.add("peer-f").start(nil)
		w.voting([]string{"peer-a", "peer-b", "peer-c", "peer-d", "peer-e"}, []string{"worker", "peer-f"})
		w.pass(20 * time.Second)
		if got := w.suffrage(); got["worker"] != raft.Nonvoter || got["peer-f"] != raft.Nonvoter {
			t.Errorf("voters are %v", got)
		}
		for _, p := range w.peers {
			w.leader().awaitFor(30*time.Second, "work of "+p.name, worked(p))
			p.await("all views", healthy(clusters))
		}
		settings := *w.leader().machine.Read().Settings()
		settings.Voters = 3
		w.leader().apply(&fsm.SettingsSet{Settings: settings, Cause: operator})
		w.until("three voters", func() bool {
			n := 0
			for _, s := range w.suffrage() {
				if s == raft.Voter {
					n++
				}
			}
			return n == 3
		})
		leader := w.leader()
		leader.end() // a voter less: it is gone, not removed
		w.leader().apply(&fsm.OperatorAct{Action: "still writable", Cause: operator})
	})
}

// TestPeersLeave lets a follower and a leader leave, and removes a dead one: the others go on, and who left does not come
// back with its old disk.
func TestPeersLeave(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		for _, name := range []string{"peer-d", "peer-e"} {
			w.add(name).start(nil)
		}
		w.voting([]string{"peer-a", "peer-b", "peer-c", "peer-d", "peer-e"}, nil)
		w.settled(20, 2, nil)
		before := w.leader().seq()
		for _, p := range []*peer{w.follower(), w.leader()} {
			if err := (lifeFace{p.Agent}).Leave(t.Context()); err != nil {
				t.Fatalf("%s, leaving: %v", p.name, err)
			}
			p.ended(nil)
			if row := w.leader().machine.Read().Peer(p.id); row != nil {
				t.Errorf("the row of %s is still there: %+v", p.name, row)
			}
			if err := p.tryStart(nil); err == nil || !strings.Contains(err.Error(), "has left its group") {
				t.Errorf("%s, started again: %v", p.name, err)
			}
		}
		w.pass(10 * time.Second)
		leader := w.leader()
		leader.tells(before, "claim.*")
		leader.tells(before, "peer.*", fsm.PeerLeft, fsm.PeerLeft)

		dead := w.others(leader)[0]
		if err := (membersFace{leader.Agent}).ForceLeave(t.Context(), dead.name); err == nil {
			t.Error("a living peer was forced to leave")
		}
		dead.crash()
		leader = w.leader()
		leader.await("its failure", func(r *fsm.Reader) bool { return r.Peer(dead.id).Status == fsm.PeerGone })
		if err := (membersFace{leader.Agent}).ForceLeave(t.Context(), dead.name); err != nil {
			t.Fatal(err)
		}
		var left []string
		for _, p := range w.running() {
			left = append(left, p.name)
		}
		slices.Sort(left)
		w.voting(left, nil)
		leader.apply(&fsm.OperatorAct{Action: "still writable", Cause: operator})
	})
}

// TestRemovedPeerEnds removes a running peer, and one that is away: both end with a message that says what happened, the
// second when it is back.
func TestRemovedPeerEnds(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		for _, name := range []string{"peer-d", "peer-e"} {
			w.add(name).start(nil)
		}
		w.voting([]string{"peer-a", "peer-b", "peer-c", "peer-d", "peer-e"}, nil)
		leader := w.leader()
		running, away := w.others(leader)[0], w.others(leader)[1]
		if err := (raftFace{leader.Agent}).RemovePeer(t.Context(), running.id); err != nil {
			t.Fatal(err)
		}
		running.ended(errRemoved)
		away.crash()
		leader = w.leader()
		if err := (raftFace{leader.Agent}).RemovePeer(t.Context(), away.id); err != nil {
			t.Fatal(err)
		}
		away.start(nil)
		away.ended(errRemoved)
		if n := len(w.suffrage()); n != 3 {
			t.Errorf("%d servers are left", n)
		}
	})
}

// TestRemovedPeerSaysSo: its operator is told what happened, and not which part of the peer found out.
func TestRemovedPeerSaysSo(t *testing.T) {
	a := &Agent{ending: life.NewEnding()}
	a.ending.End(fmt.Errorf("watching its place: %w", errRemoved))
	if err := a.verdict(); !errors.Is(err, errRemoved) || err.Error() != errRemoved.Error() {
		t.Errorf("it says %v", err)
	}
}

// TestOnlyVoterCannotLeave asks the last voter to leave: it says no and goes on.
func TestOnlyVoterCannotLeave(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, w *world) {
		if err := (lifeFace{w.peers[0].Agent}).Leave(t.Context()); err == nil {
			t.Error("the only voter left")
		}
		w.settled(2, 3, nil)
	})
}

// TestMembersAreShown looks at what a follower shows of its group.
func TestMembersAreShown(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		p := w.follower()
		w.until("a leader and two voters alive", func() bool {
			var got []string
			for _, m := range (membersFace{p.Agent}).Members() {
				got = append(got, m.Name+" "+m.Role+" "+m.Status)
			}
			slices.SortFunc(got, func(a, b string) int { return strings.Compare(a[7:], b[7:]) })
			return len(got) == 3 && strings.HasSuffix(got[0], " leader alive") && strings.HasSuffix(got[2], " voter alive")
		})
		conf, err := raftFace{p.Agent}.Configuration(t.Context())
		if err != nil || conf.Index == 0 || len(conf.Servers) != 3 || slices.ContainsFunc(conf.Servers, func(s httpd.RaftServer) bool { return s.Name == "" }) {
			t.Errorf("configuration is %+v, %v", conf, err)
		}
	})
}
