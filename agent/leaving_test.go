package agent

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/agent/consensus"
	"github.com/musterhq/muster/fsm"
)

// leave has a peer leave its group, as who asks for it by the API does: without a patience of its own.
func (p *peer) leave(ctx context.Context) error {
	p.w.t.Helper()
	left := make(chan error, 1)
	go func() { left <- lifeFace{p.Agent}.Leave(ctx) }()
	select {
	case err := <-left:
		return err
	case <-time.After(time.Minute):
		p.w.t.Fatalf("%s still leaves after a minute", p.name)
		return nil
	}
}

// TestLastVoterDoesNotLeave asks the only voter of a group, which goes on leading it.
func TestLastVoterDoesNotLeave(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, w *world) {
		p := w.leader()
		if err := p.leave(t.Context()); !errors.Is(err, &fsm.Error{Code: fsm.CodeConflict}) || !strings.Contains(err.Error(), "only voter") {
			t.Errorf("it was asked to leave: %v", err)
		}
		w.settled(1, 1, nil) // it gets claims still
	})
}

// TestLeavingGivesClaimsBack has a peer leave in mid-refresh: nobody waits for its claims, and none expires.
func TestLeavingGivesClaimsBack(t *testing.T) {
	inBubble(t, 4, func(t *testing.T, w *world) {
		w.settled(80, 2, nil)
		w.nodes.slow(900*time.Millisecond, addrsOf(40, 2)...)
		leader := w.leader()
		leader.await("claims of all peers", claimed(w.peers))
		p, before := w.others(leader)[0], leader.seq()
		if err := p.leave(t.Context()); err != nil {
			t.Fatal(err)
		}
		p.ended(nil)
		w.pass(20 * time.Second)
		leader.tells(before, "claim.*")
	})
}

// TestLeavingHasAnEnd asks a peer that reaches nobody: it says so after a while, and is the member that it was.
func TestLeavingHasAnEnd(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		p := w.follower()
		w.isolate(p)
		w.pass(5 * time.Second)
		if err := p.leave(t.Context()); err == nil {
			t.Error("it left a group that it does not reach")
		}
		w.heal()
		w.until("it is ready", func() bool { return (lifeFace{p.Agent}).Ready() == nil })
	})
}

// stubborn is a raft transport that does not tell others to take leadership over while it is to fail.
type stubborn struct {
	*consensus.Transport
	fails *atomic.Int32 // so many more times
	tried *atomic.Int32
}

// TimeoutNow is raft.Transport's.
func (s *stubborn) TimeoutNow(
	id raft.ServerID, to raft.ServerAddress, args *raft.TimeoutNowRequest, resp *raft.TimeoutNowResponse,
) error {
	s.tried.Add(1)
	if s.fails.Add(-1) >= 0 {
		return errors.New("lost on the way")
	}
	return s.Transport.TimeoutNow(id, to, args, resp)
}

// into puts the transport between a peer's raft and the others.
func (s *stubborn) into(c *Config) {
	s.fails, s.tried = new(atomic.Int32), new(atomic.Int32)
	c.Seams.Raft = func(p *consensus.Parts) {
		p.Transport = &stubborn{p.Transport.(*consensus.Transport), s.fails, s.tried}
	}
}

// TestLeadershipIsHandedOverAgain has a leader leave whose first tries to hand leadership over come to nothing.
func TestLeadershipIsHandedOverAgain(t *testing.T) {
	wires := map[string]*stubborn{}
	inBubbleOf(t, 3, func(c *Config) {
		wires[c.Name] = new(stubborn)
		wires[c.Name].into(c)
	}, func(t *testing.T, w *world) {
		p := w.leader()
		wires[p.name].fails.Store(2)
		if err := p.leave(t.Context()); err != nil {
			t.Errorf("it did not leave: %v", err)
		}
		p.ended(nil)
		if n := wires[p.name].tried.Load(); n != 3 {
			t.Errorf("it tried %d times", n)
		}
	})
}

// TestLeavingLeaderGivesUp has a leader leave that can hand leadership over to nobody: it says so after a while, and leads on.
func TestLeavingLeaderGivesUp(t *testing.T) {
	wires := map[string]*stubborn{}
	inBubbleOf(t, 3, func(c *Config) {
		wires[c.Name] = new(stubborn)
		wires[c.Name].into(c)
	}, func(t *testing.T, w *world) {
		p := w.leader()
		wires[p.name].fails.Store(1 << 20)
		if err := p.leave(t.Context()); err == nil || !strings.Contains(err.Error(), "leadership could not be handed over") {
			t.Errorf("it was asked to leave: %v", err)
		}
		if w.leader() != p {
			t.Errorf("%s leads", w.leader().name)
		}
	})
}

// TestLeadershipWithoutRoomIsTriedAgain has a leader with little room fail to give leadership away: it tries again, and not before
// it was time.
func TestLeadershipWithoutRoomIsTriedAgain(t *testing.T) {
	wires := map[string]*stubborn{}
	withDisks(t, 3, func(t *testing.T, w *world, room func(*peer, int64)) {
		for _, p := range w.peers { // with a wire from their next life on
			change := p.change
			p.end()
			wires[p.name] = new(stubborn)
			p.change = func(c *Config) {
				change(c)
				wires[p.name].into(c)
			}
			p.start(nil)
			p.await("all peers' rows", rows(3))
		}
		p := w.leader()
		w.pass(10 * time.Second)
		wires[p.name].fails.Store(1)
		room(p, 300)
		w.until("a first try", func() bool { return wires[p.name].tried.Load() == 1 })
		w.pass(8 * time.Second)
		if n := wires[p.name].tried.Load(); n != 1 || w.leader() != p {
			t.Errorf("it tried %d times, and %s leads", n, w.leader().name)
		}
		w.pass(4 * time.Second)
		if n := wires[p.name].tried.Load(); n != 2 || w.leader() == p {
			t.Errorf("then it had tried %d times, and %s leads", n, w.leader().name)
		}
	})
}
