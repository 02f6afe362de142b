package agent

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/musterhq/muster/fsm"
)

// isOut takes a peer out of the group and ends its raft, as raft does by itself in who learns of it.
func (p *peer) isOut() {
	p.w.t.Helper()
	if err := errors.Join((raftFace{p.w.leader().Agent}).RemovePeer(p.w.t.Context(), p.id), p.raft.Shutdown().Error()); err != nil {
		p.w.t.Fatal(err)
	}
}

// leaves has a peer stand as it does while it leaves.
func (p *peer) leaves(does bool) {
	p.draining.Store(does)
	p.leaving.Store(does)
}

// TestLeavingPeerOutlivesItsRaft removes a peer while it leaves: raft ends in it before the answer comes. It goes on until it
// has left, and ends as one that was removed where leaving fails.
func TestLeavingPeerOutlivesItsRaft(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		p := w.follower()
		p.leaves(true)
		p.isOut()
		w.pass(10 * time.Second)
		select {
		case err := <-p.done:
			p.done <- err
			t.Fatalf("it ended while it was leaving: %v", err)
		default:
		}
		p.leaves(false)
		p.ended(errRemoved)
	})
}

// TestLeaveWhoseAnswerIsLost lets a peer leave that is removed already, so that no leader answers it: it has left.
func TestLeaveWhoseAnswerIsLost(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		p := w.follower()
		p.leaves(true)
		p.isOut()
		if err := (lifeFace{p.Agent}).Leave(t.Context()); err != nil {
			t.Fatal(err)
		}
		p.ended(nil)
		if d := mustOpen(t, p.dir); !d.HasLeft() {
			t.Error("its directory does not know that it left")
		}
	})
}

// TestStoppedPeerHasNotLeft stops a peer whose leaving has come to nothing: its directory is still that of a member.
func TestStoppedPeerHasNotLeft(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		p := w.follower()
		p.end()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := (lifeFace{p.Agent}).Leave(ctx); err == nil {
			t.Error("it left")
		}
		p.start(nil)
		p.await("its group", func(r *fsm.Reader) bool { return r.Peer(p.id) != nil })
	})
}

// TestReadyOnceTakenUp takes a peer's row away: it is not ready until the leader has written it again.
func TestReadyOnceTakenUp(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, w *world) {
		p := w.leader()
		w.until("it is ready", func() bool { return (lifeFace{p.Agent}).Ready() == nil })
		p.apply(&fsm.PeerRemove{ID: p.id, Reason: "removed"})
		if err := (lifeFace{p.Agent}).Ready(); err == nil {
			t.Error("it is ready without a row")
		}
		p.await("its row", func(r *fsm.Reader) bool { return r.Peer(p.id) != nil })
		if err := (lifeFace{p.Agent}).Ready(); err != nil {
			t.Error(err)
		}
	})
}

// TestMetricsAreWhatTheirNamesSay holds that counters, and no others, end in _total: a rate of anything else is wrong.
func TestMetricsAreWhatTheirNamesSay(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, w *world) {
		w.settled(1, 1, nil)
		families, err := w.leader().cfg.Gatherer.Gather()
		if err != nil || len(families) < 20 {
			t.Fatalf("%d metrics: %v", len(families), err)
		}
		for _, f := range families {
			if counts := f.GetType().String() == "COUNTER"; counts != strings.HasSuffix(f.GetName(), "_total") {
				t.Errorf("%s is a %s", f.GetName(), f.GetType())
			}
		}
	})
}
