package agent

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/agent/consensus"
	"github.com/musterhq/muster/agent/mint"
	"github.com/musterhq/muster/agent/replica"
	"github.com/musterhq/muster/fsm"
)

// The feature level of this release, and that of the next one.
const (
	nowLevel  = fsm.FeatureLevel
	nextLevel = nowLevel + 1
)

var nextWord = fmt.Sprintf("feature level %d", nextLevel)

// release is a peer that understands feature levels up to one.
func release(level uint32) func(*Config) {
	return func(c *Config) {
		c.Seams.Raft = func(p *consensus.Parts) { p.FSM.(*replica.Machine).Level = level }
	}
}

// becomes stops a peer and starts it as another release.
func (p *peer) becomes(level uint32) {
	p.w.t.Helper()
	p.end()
	p.start(release(level))
}

// stays checks that the group is at a feature level on every running peer, for ten seconds from when all are heard.
func (w *world) stays(level uint32) {
	w.t.Helper()
	for _, p := range w.running() {
		p.await("the rows of the running", rows(len(w.running())))
	}
	w.pass(10 * time.Second)
	for _, p := range w.running() {
		if got := p.machine.Read().Meta().Feature; got != level {
			w.t.Errorf("%s is at feature level %d, not %d", p.name, got, level)
		}
	}
}

func atLevel(level uint32) func(*fsm.Reader) bool {
	return func(r *fsm.Reader) bool { return r.Meta().Feature == level }
}

// TestUpgradeRaisesLast upgrades a group peer by peer, takes one back, and loses one: the level is raised once all three have
// said that they understand it, no sooner. From then on no directory opens for the release before.
func TestUpgradeRaisesLast(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		w.settled(4, 2, nil)
		a, b, c := w.peers[0], w.peers[1], w.peers[2]
		w.stays(nowLevel)
		a.becomes(nextLevel)
		b.becomes(nextLevel)
		w.stays(nowLevel)
		a.becomes(nowLevel) // the way back is open
		c.becomes(nextLevel)
		w.stays(nowLevel)
		a.crash() // its row is what it said last
		w.stays(nowLevel)
		a.start(release(nextLevel))
		for _, p := range w.peers {
			p.await("the next feature level", atLevel(nextLevel))
		}
		w.clusters(6, 2)
		w.leader().await("work at the new level", healthy(6))
		b.end()
		for _, older := range []uint32{nowLevel, nextLevel} { // a test's next one is beyond the program's own
			if err := b.tryStart(release(older)); !errors.Is(err, fsm.ErrNewer) || !strings.Contains(err.Error(), nextWord) {
				t.Errorf("the directory of a raised group opens: %v", err)
			}
		}
	})
}

// TestUpgradeStopsWhoIsLeftBehind raises a group over the head of a peer: it stops, and says what to do. The others go on.
func TestUpgradeStopsWhoIsLeftBehind(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		for _, p := range w.others(w.follower()) {
			p.becomes(nextLevel)
		}
		w.stays(nowLevel)
		var old *peer
		for _, p := range w.peers {
			if p.machine.Level == nowLevel {
				old = p
			}
		}
		_, _ = w.leader().Propose(t.Context(), &fsm.FeatureRaise{Level: nextLevel}) // nobody answers where the old one leads
		var err error
		w.until("the end of "+old.name, func() bool {
			select {
			case err = <-old.done:
				return true
			default:
				return false
			}
		})
		old.stop()
		old.stop = nil
		if !errors.Is(err, fsm.ErrNewer) || !strings.Contains(err.Error(), "start a later release") {
			t.Errorf("%s ended with: %v", old.name, err)
		}
		for _, p := range w.running() {
			p.await("the next feature level", atLevel(nextLevel))
		}
		w.leader().apply(&fsm.OperatorAct{Action: "still writable", Cause: operator})
	})
}

// TestUpgradeTakesNobodyOlder has peers of two releases join a raised group: who would have to stop is not taken in.
func TestUpgradeTakesNobodyOlder(t *testing.T) {
	inBubbleOf(t, 3, release(nextLevel), func(t *testing.T, w *world) {
		w.leader().await("the next feature level", atLevel(nextLevel))
		older := w.add("older")
		older.start(release(nowLevel))
		w.pass(10 * time.Second)
		if older.raft.LastIndex() != 0 || len(older.said.with("does not understand")) == 0 {
			t.Errorf("it was taken in, or did not say why not; its log ends at %d", older.raft.LastIndex())
		}
		older.end()
		w.add("peer-d").start(release(nextLevel))
		w.leader().await("the fourth peer", rows(4))
		w.stays(nextLevel)
	})
}

// TestUpgradeProposesNothingTooNew proposes, in each way there is, a command of a version that the group's feature level does not
// let in: it is refused, the log does not get it, and everybody lives.
func TestUpgradeProposesNothingTooNew(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		leader := w.leader()
		newer := fsm.Frame(&fsm.OperatorAct{Action: "too new", Cause: operator})
		if newer[1] != 1 {
			t.Fatalf("its version is %d", newer[1])
		}
		newer[1] = 2
		for _, late := range []bool{false, true} {
			results, err := leader.term.Load().propose(t.Context(), newer, 1, late)
			if err != nil || len(results) != 1 || !errors.Is(results[0].Err(), fsm.ErrInvalid) {
				t.Errorf("it is answered with %+v, %v", results, err)
			}
		}
		pair := append(fsm.Frame(&fsm.OperatorAct{Action: "beside it", Cause: operator}), newer...)
		if results, err := leader.term.Load().propose(t.Context(), pair, 2, false); err != nil || len(results) != 2 {
			t.Errorf("a pair is answered with %+v, %v", results, err)
		}
		leader.apply(&fsm.OperatorAct{Action: "known", Cause: operator})
		for _, e := range leader.logged(0) { // which reads none that is too new
			for _, c := range e.commands {
				if act, ok := c.(*fsm.OperatorAct); ok && act.Action != "known" {
					t.Errorf("the log has %q", act.Action)
				}
			}
		}
		w.stays(nowLevel)
	})
}

// upgradedBut upgrades all peers but one follower; one of the upgraded leads then.
func (w *world) upgradedBut(level uint32) (leader, old *peer) {
	w.t.Helper()
	old = w.follower()
	for _, p := range w.others(old) {
		p.becomes(level)
	}
	w.leader().await("all peers", rows(len(w.peers)))
	if w.leader() == old {
		if err := old.raft.LeadershipTransfer().Error(); err != nil {
			w.t.Fatal(err)
		}
	}
	return w.leaderOf(w.others(old)), old
}

// TestUpgradeHoldsBackWhatIsNew proposes what came with level 2 to a leader that understands it, in a group at level 1.
func TestUpgradeHoldsBackWhatIsNew(t *testing.T) {
	inBubbleOf(t, 3, release(1), func(t *testing.T, w *world) {
		leader, _ := w.upgradedBut(2)
		w.stays(1)
		create := fsm.Frame(&fsm.TokenCreate{Token: fsm.Token{Accessor: mint.ID(time.Now()), Hash: fsm.HashSecret("x")}, Cause: operator})
		began := time.Now()
		results, err := leader.term.Load().propose(t.Context(), create, 1, false)
		if waited := time.Since(began); waited > time.Second {
			t.Errorf("it is answered after %s; nobody is about to raise the level", waited)
		}
		if err != nil || len(results) != 1 || !errors.Is(results[0].Err(), &fsm.Error{Code: fsm.CodeConflict}) ||
			!strings.Contains(fmt.Sprint(results[0].Err()), "upgrade all its peers first") {
			t.Errorf("it is answered with %+v, %v", results, err)
		}
	})
}

// TestANewGroupRefusesNothing proposes what came with level 2 as soon as a group has a leader, while its level is that of its birth.
func TestANewGroupRefusesNothing(t *testing.T) {
	inEmptyBubble(t, func(t *testing.T, w *world) {
		for i := range 3 {
			w.add(fmt.Sprintf("peer-%c", 'a'+i)).start(func(c *Config) { c.BootstrapExpect = 3 })
		}
		leader := w.leader()
		if got := leader.machine.Read().Meta().Feature; got >= 2 {
			t.Fatalf("the group is at feature level %d already", got)
		}
		create := &fsm.TokenCreate{Token: fsm.Token{Accessor: mint.ID(time.Now()), Hash: fsm.HashSecret("x")}, Cause: operator}
		result, err := leader.Propose(t.Context(), create)
		if err != nil || result.Err() != nil {
			t.Errorf("it is answered with %v, %v", err, result.Err())
		}
	})
}

// TestUpgradeWaitsForWhoComesIn holds the level where it is while a server is being added: it may be one that was not asked.
func TestUpgradeWaitsForWhoComesIn(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		leader, old := w.upgradedBut(nextLevel)
		joining := &leader.term.Load().joining
		joining.Lock()
		old.becomes(nextLevel)
		w.stays(nowLevel)
		joining.Unlock()
		leader.await("the next feature level", atLevel(nextLevel))
	})
}

// TestUpgradeAsksEveryServer asks for the level of a group one server of which has no row yet, and of one that says less now
// than its row does.
func TestUpgradeAsksEveryServer(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		w.pass(10 * time.Second)
		synctest.Wait() // no peer has a word on its way
		leader := w.leader()
		own, r := leader.term.Load(), leader.machine.Read()
		servers, err := leader.configuration()
		if err != nil {
			t.Fatal(err)
		}
		if got := own.announced(r, servers); got != nowLevel {
			t.Errorf("all announced level %d, not %d", got, nowLevel)
		}
		if got := own.announced(r, append(servers, raft.Server{ID: "unseen"})); got != 0 {
			t.Errorf("with one that has no row it is %d", got)
		}
		said := w.follower().word()
		said.Peer.Release = nowLevel - 1
		own.hearing.hear(said)
		if got := own.announced(r, servers); got != nowLevel-1 {
			t.Errorf("with one that says less it is %d", got)
		}
	})
}

// TestOneWayIntoTheLog holds that raft is given entries in one place, where the feature level is looked at.
func TestOneWayIntoTheLog(t *testing.T) {
	files, err := filepath.Glob("*.go")
	rooms, wrong := filepath.Glob("*/*.go")
	if err := errors.Join(err, wrong); err != nil {
		t.Fatal(err)
	}
	ways := 0
	for _, name := range append(files, rooms...) {
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(name, "_test.go") {
			ways += strings.Count(string(source), "raft.Apply(") + strings.Count(string(source), ".ApplyLog(")
		}
	}
	if ways != 1 {
		t.Errorf("there are %d ways", ways)
	}
}
