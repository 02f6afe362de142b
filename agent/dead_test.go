package agent

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/fsm"
)

// set changes the group's settings, once the group takes those of this release.
func (w *world) set(change func(*fsm.Settings)) {
	w.t.Helper()
	w.leader().await("the level", atLevel(fsm.FeatureLevel))
	s := *w.leader().machine.Read().Settings()
	change(&s)
	w.leader().apply(&fsm.SettingsSet{Settings: s, Cause: operator})
}

// deadFor is how long peers of these tests have failed before they are removed.
const deadFor = 90 * time.Second

// buries has dead peers removed.
func (w *world) buries() {
	w.t.Helper()
	w.set(func(s *fsm.Settings) { s.DeadPeers.RemoveAfter = fsm.DurationOf(deadFor) })
}

// joined adds peers and waits until they are in the group.
func (w *world) joined(names ...string) {
	w.t.Helper()
	for _, name := range names {
		w.add(name).start(func(c *Config) { c.Worker = strings.HasPrefix(name, "worker") })
	}
	w.leader().await("the rows of all", rows(len(w.running())))
}

// dies loses a machine, and waits until its row says so.
func (p *peer) dies() {
	p.w.t.Helper()
	p.crash()
	p.w.leader().await("its failure", func(r *fsm.Reader) bool { return r.Peer(p.id).Status == fsm.PeerGone })
}

// voters are the names of those that vote, and all is the number of servers.
func (w *world) voters() (names []string, all int) {
	for name, s := range w.suffrage() {
		if all++; s == raft.Voter {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, all
}

// TestDeadVoterMakesRoomForAStandby removes a voter that has been dead for as long as settings say, not sooner, and not before
// another one votes in its place: there are three at every moment, and the group takes writes all along.
func TestDeadVoterMakesRoomForAStandby(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		w.buries()
		w.set(func(s *fsm.Settings) { s.Voters = 3 })
		w.joined("peer-d")
		before := w.leader().seq()
		dead := w.follower()
		died := time.Now()
		dead.dies()
		var led *peer
		for time.Since(died) < deadFor-time.Second {
			w.pass(30 * time.Second)
			if v, all := w.voters(); len(v) != 3 || all != 4 {
				t.Fatalf("after %s %v vote, of %d", time.Since(died), v, all)
			}
			if led == nil && time.Since(died) > deadFor/2 {
				led = w.leader() // who leads next goes by the same time
				led.end()
				led.start(nil)
			}
		}
		w.until("the dead one gone", func() bool {
			w.leader().apply(&fsm.OperatorAct{Action: "note", Cause: operator})
			v, all := w.voters()
			if len(v) < 3 {
				t.Fatalf("only %v vote", v)
			}
			return all == 3
		})
		if late := time.Since(died) - deadFor; late > 2*time.Minute {
			t.Errorf("it took %s longer", late)
		}
		if v, _ := w.voters(); len(v) != 3 || slices.Contains(v, dead.name) || !slices.Contains(v, "peer-d") {
			t.Errorf("%v vote", v)
		}
		w.leader().await("the row gone", func(r *fsm.Reader) bool { return r.Peer(dead.id) == nil })
		var why []string
		for _, e := range w.leader().events(before, "peer.left") {
			why = append(why, e.After.(*fsm.PeerPart).Name+" "+e.After.(*fsm.PeerPart).Reason)
		}
		if want := []string{dead.name + " dead"}; !slices.Equal(why, want) {
			t.Errorf("who left: %v, want %v", why, want)
		}
		dead.start(nil)
		dead.ended(errRemoved)
	})
}

// TestDeadVoterStaysWithoutAStandby keeps the third voter however long it is dead, and says why; a dead worker goes.
func TestDeadVoterStaysWithoutAStandby(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		w.buries()
		w.joined("worker-1", "worker-2")
		dead, worker := w.follower(), w.peers[4]
		dead.dies()
		worker.dies()
		w.pass(2 * deadFor)
		v, all := w.voters()
		if len(v) != 3 || !slices.Contains(v, dead.name) || all != 4 {
			t.Errorf("%v vote, of %d", v, all)
		}
		conf, err := (raftFace{w.leader().Agent}).Configuration(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range conf.Servers {
			switch kept := strings.Contains(s.KeptBecause, "no standby"); {
			case s.ID == dead.id && (!kept || s.FailedAt == 0 || s.RemoveAt != s.FailedAt.Add(fsm.DurationOf(deadFor))):
				t.Errorf("of the dead one is told: %+v", s)
			case s.ID != dead.id && (s.KeptBecause != "" || s.FailedAt != 0 || s.RemoveAt != 0):
				t.Errorf("of a living one is told: %+v", s)
			}
		}
	})
}

// TestDeadPeersGoOneByOne loses two of five voters at once: they go one after the other, all being calm in between.
func TestDeadPeersGoOneByOne(t *testing.T) {
	inBubble(t, 5, func(t *testing.T, w *world) {
		w.buries()
		one, two := w.others(w.leader())[0], w.others(w.leader())[1]
		one.crash()
		two.dies()
		w.leader().await("both failures", rows(3))
		var gone []time.Time
		for start := time.Now(); len(gone) < 2 && time.Since(start) < 2*deadFor; w.pass(250 * time.Millisecond) {
			if _, all := w.voters(); 5-all > len(gone) {
				gone = append(gone, time.Now())
			}
		}
		if len(gone) < 2 || gone[1].Sub(gone[0]) < calmFor {
			t.Errorf("they went at %v", gone)
		}
	})
}

// TestDeadPeersStay keeps dead peers where nobody asked for their removal, where two vote, and those that came back in time.
func TestDeadPeersStay(t *testing.T) {
	t.Run("by default", func(t *testing.T) {
		inBubble(t, 5, func(t *testing.T, w *world) {
			w.follower().dies()
			w.pass(2 * deadFor)
			if _, all := w.voters(); all != 5 {
				t.Errorf("there are %d", all)
			}
		})
	})
	t.Run("where two vote", func(t *testing.T) {
		inBubble(t, 2, func(t *testing.T, w *world) {
			w.buries()
			w.joined("worker-1")
			w.peers[2].dies()
			w.pass(2 * deadFor)
			if _, all := w.voters(); all != 3 {
				t.Errorf("there are %d", all)
			}
		})
	})
	t.Run("when it came back", func(t *testing.T) {
		inBubble(t, 5, func(t *testing.T, w *world) {
			w.buries()
			p := w.follower()
			for range 2 {
				p.dies()
				w.pass(deadFor - 30*time.Second)
				p.start(nil)
				w.leader().await("its return", func(r *fsm.Reader) bool {
					row := r.Peer(p.id)
					return row.Status == fsm.PeerAlive && row.Failed == 0
				})
			}
			if _, all := w.voters(); all != 5 {
				t.Errorf("there are %d", all)
			}
		})
	})
	t.Run("whom gossip sees", func(t *testing.T) {
		inBubble(t, 5, func(t *testing.T, w *world) {
			w.buries()
			p := w.follower()
			for _, o := range w.others(p) {
				w.net.Split(p.host, o.host) // the peer port alone
			}
			w.leaderOf(w.others(p)).awaitFor(5*time.Minute, "its failure", func(r *fsm.Reader) bool { return r.Peer(p.id).Status == fsm.PeerGone })
			w.pass(2 * deadFor)
			servers, err := w.leaderOf(w.others(p)).configuration()
			if err != nil || len(servers) != 5 {
				t.Errorf("there are %d, %v", len(servers), err)
			}
			w.heal()
		})
	})
}

// TestFewerVotersSendTheSilentHome loses two of five voters and has three vote: were one sent home that is heard, the group
// could not go on.
func TestFewerVotersSendTheSilentHome(t *testing.T) {
	inBubble(t, 5, func(t *testing.T, w *world) {
		leader := w.leader()
		low := w.others(leader)
		slices.SortFunc(low, func(a, b *peer) int { return strings.Compare(a.id, b.id) })
		low[0].crash()
		low[1].crash()
		leader = w.leader()
		leader.await("both failures", rows(3))
		w.set(func(s *fsm.Settings) { s.Voters = 3 })
		w.until("three voters", func() bool { v, _ := w.voters(); return len(v) == 3 })
		v, _ := w.voters()
		for _, p := range low[:2] {
			if slices.Contains(v, p.name) {
				t.Errorf("%s is dead and votes: %v", p.name, v)
			}
		}
		w.leader().apply(&fsm.OperatorAct{Action: fmt.Sprint("still writable by ", v), Cause: operator})
	})
}

// TestDeadPeersStayWhileVotersComeAndGo has one of three living voters of five come back again and again: of the four that would be
// left only two are there for sure, so that nobody is removed until it stays.
func TestDeadPeersStayWhileVotersComeAndGo(t *testing.T) {
	inBubble(t, 5, func(t *testing.T, w *world) {
		w.buries()
		leader := w.leader()
		one, two, restless := w.others(leader)[0], w.others(leader)[1], w.others(leader)[2]
		one.crash()
		two.dies()
		leader = w.leader()
		for began := time.Now(); time.Since(began) < 2*deadFor; w.pass(10 * time.Second) {
			h := leader.term.Load().hearing
			h.mu.Lock()
			back := h.peers[restless.id]
			back.from = time.Now()
			h.peers[restless.id] = back
			h.mu.Unlock()
		}
		if _, all := w.voters(); all != 5 {
			t.Errorf("there are %d", all)
		}
		w.pass(3 * calmFor)
		if _, all := w.voters(); all != 3 {
			t.Errorf("there are %d once it stays", all)
		}
	})
}
