package agent

import (
	"bytes"
	"errors"
	"testing"

	"github.com/musterhq/muster/fsm"
)

// ofAnotherGroup is a backup that knows none of the epochs of other groups.
func ofAnotherGroup(t *testing.T) (archive []byte) {
	inBubble(t, 1, func(_ *testing.T, w *world) {
		w.settled(2, 2, nil)
		archive = w.leader().backedUp()
	})
	return archive
}

// TestPeerThatWasAwayTakesTheRestoreUp cuts one peer off while the others restore a backup of a group that never heard of
// this one's epochs. The peer is behind, not stranded: once it is back it takes the state up as the others did.
func TestPeerThatWasAwayTakesTheRestoreUp(t *testing.T) {
	archive := ofAnotherGroup(t)
	inBubble(t, 3, func(_ *testing.T, w *world) {
		w.clusters(2, 2)
		away := w.follower()
		w.isolate(away)
		out := w.leaderOf(w.others(away)).restored(archive)
		w.heal()
		away.await("the new epoch", inEpoch(out.Epoch))
		w.until("it is heard", func() bool { return w.leader().machine.Read().Peer(away.id).Status == fsm.PeerAlive })
	})
}

// stranding runs a test with a group of three and its leader, which was cut off in the middle of a restore: it has a state that
// the others never got, and can only say that nobody knows.
func stranding(t *testing.T, test func(t *testing.T, w *world, old *peer)) {
	archive, states := ofAnotherGroup(t), map[string]*gatedState{}
	change := func(c *Config) {
		states[c.Name] = &gatedState{}
		states[c.Name].around(c)
	}
	inBubbleOf(t, 3, change, func(t *testing.T, w *world) {
		w.settled(2, 2, nil)
		old := w.leader()
		before := old.machine.Read().Meta().Epoch()
		cut := func() { w.isolate(old) }
		states[old.name].restoring.Store(&cut)
		if _, err := old.tryRestore(bytes.NewReader(archive)); !errors.Is(err, fsm.ErrUnknown) {
			t.Errorf("restore by a leader that is cut off: %v", err)
		}
		if old.machine.Read().Meta().Epoch() == before {
			t.Fatal("it was not restored even there: this tests nothing")
		}
		test(t, w, old)
	})
}

// TestRestoreThatTheGroupNeverGot has the others go on without the peer that restored: when it meets them again it ends, since
// its state is one that the group never had.
func TestRestoreThatTheGroupNeverGot(t *testing.T) {
	stranding(t, func(t *testing.T, w *world, old *peer) {
		next := w.leaderOf(w.others(old))
		before := next.machine.Read().Meta().Epoch()
		next.apply(&fsm.OperatorAct{Action: "on", Cause: operator})
		w.heal()
		old.ended(errStranded)
		for _, p := range w.running() {
			if got := p.machine.Read().Meta().Epoch(); got != before {
				t.Errorf("%s is in epoch %s", p.name, got)
			}
		}
	})
}

// TestRestoreNeedsAQuorum has a leader that is cut off restore: nothing is done, not even there.
func TestRestoreNeedsAQuorum(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		old := w.leader()
		archive, before := old.backedUp(), old.machine.Read().Meta().Epoch()
		w.isolate(old)
		_, err := old.tryRestore(bytes.NewReader(archive))
		if !errors.Is(err, fsm.ErrUnavailable) || old.machine.Read().Meta().Epoch() != before {
			t.Errorf("in epoch %s, not %s: %v", old.machine.Read().Meta().Epoch(), before, err)
		}
		w.heal()
		w.leader()
	})
}

// TestBareState holds that a state is bare from a restore to the next entry, whatever that does.
func TestBareState(t *testing.T) {
	state := func(next ...fsm.Command) bool {
		s := fsm.NewState()
		born := fsm.Frame(&fsm.GroupCreate{Group: "g", Epoch: "e1", Feature: fsm.BirthLevel})
		if _, err := s.Apply(1, fsm.Entry(1, born)); err != nil {
			t.Fatal(err)
		}
		if bare(s.Read()) {
			t.Error("a new group is bare")
		}
		index, err := s.BeginEpoch(fsm.Rebirth{Epoch: "e2", Own: *s.Read().Meta(), Cause: operator})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range next {
			index++
			if _, err := s.Apply(index, fsm.Entry(2, fsm.Frame(c))); err != nil {
				t.Fatal(err)
			}
		}
		return bare(s.Read())
	}
	if !state() {
		t.Error("a restored state is not bare")
	}
	for name, c := range map[string]fsm.Command{
		"leader": &fsm.LeaderChange{ID: "p", Name: "peer-a", Term: 3}, "settings": settings(fsm.NewState().Read()),
		"nothing": &fsm.EventsTrim{},
	} {
		if state(c) {
			t.Errorf("%s: the state is still bare", name)
		}
	}
}
