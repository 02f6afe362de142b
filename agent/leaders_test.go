package agent

import (
	"testing"
	"time"

	"github.com/musterhq/muster/agent/consensus"
	"github.com/musterhq/muster/agent/replica"
	"github.com/musterhq/muster/fsm"
)

// report fails the test for all that the referee took down.
func (f *referee) report(t *testing.T) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, fault := range f.faults {
		t.Error(fault)
	}
}

// TestRestartedGroupGoesOnInTime stops all peers and starts them with wall clocks a day behind: the first leader catches up
// with the log before it does anything, so it founds nothing anew and its time goes on from the log's.
func TestRestartedGroupGoesOnInTime(t *testing.T) {
	f := newReferee()
	inBubbleOf(t, 3, watched(f), func(t *testing.T, w *world) {
		w.settled(5, 2, nil)
		before := w.leader().index()
		for _, p := range w.peers {
			p.end()
			p.offset.Store(int64(-day))
		}
		for _, p := range w.peers {
			p.start(nil)
		}
		p := w.leader()
		p.apply(&fsm.OperatorAct{Action: "goes on", Cause: operator})
		if again := commandsOf[*fsm.GroupCreate](p.logged(before)); len(again) > 0 {
			t.Errorf("the group is founded again: %+v", again)
		}
		p.checkTimes(0)
	})
	f.report(t)
}

// TestSnapshotIsOfItsMoment writes while a snapshot is made slowly, and starts the peer again from it: it holds what the
// state held when it began, and each entry after it does again what it did.
func TestSnapshotIsOfItsMoment(t *testing.T) {
	f, slow := newReferee(), &disk{}
	slow.slowly = 2 * time.Second
	slowly := func(c *Config) {
		c.Seams.Raft = func(p *consensus.Parts) {
			p.FSM, p.Snapshots = &refereed{p.FSM.(*replica.Machine), f, c.Name}, &shelf{p.Snapshots, slow}
		}
	}
	inBubbleOf(t, 1, slowly, func(t *testing.T, w *world) {
		p := w.leader()
		made := make(chan error, 1)
		go func() { made <- p.raft.Snapshot().Error() }()
		for range 10 {
			w.pass(100 * time.Millisecond)
			p.apply(&fsm.OperatorAct{Action: "meanwhile", Cause: operator})
		}
		if err := <-made; err != nil {
			t.Fatal(err)
		}
		seq := p.seq()
		p.end()
		p.start(nil)
		w.leader()
		if told := len(p.events(0, string(fsm.OperatorActed))); told != 10 {
			t.Errorf("%d events of 10 writes, %d in all, after %d before", told, p.seq(), seq)
		}
	})
	f.report(t)
}

// TestWipedPeerVotesForNothing loses a voter's disk while another lags, and then the leader: what only those two had is not
// overruled by a peer that forgot it. The wiped one is nobody until a leader takes it in.
func TestWipedPeerVotesForNothing(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		old := w.leader()
		wiped, lags := w.others(old)[0], w.others(old)[1]
		w.isolate(lags)
		old.apply(&fsm.OperatorAct{Action: "acknowledged", Cause: operator})
		w.isolate(old)
		old.end()
		wiped.end()
		next := w.add(wiped.name)
		next.start(nil)
		w.heal()
		w.pass(20 * time.Second)
		for _, p := range []*peer{lags, next} {
			if p.term.Load() != nil {
				t.Errorf("%s leads without what was acknowledged", p.name)
			}
		}
		old.start(nil)
		for _, p := range []*peer{old, lags, next} {
			p.await("what was acknowledged", told(0, fsm.OperatorActed, 1))
		}
	})
}
