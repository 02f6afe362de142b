package agent

import (
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/fsm"
)

// refusedFor checks that an operator's wish was refused for a reason.
func refusedFor(t *testing.T, what string, err error, why string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), why) {
		t.Errorf("%s: %v; wanted is a refusal with %q", what, err, why)
	}
}

// TestNobodyGoesAtTheCostOfTheQuorum loses one of three voters and has another one removed, leave, and the leader leave: each would
// leave two of which one lives. All is refused, leadership stays where it is, and once the dead one is out it is done.
func TestNobodyGoesAtTheCostOfTheQuorum(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		dead := w.follower()
		dead.dies()
		leader := w.leader()
		other := w.others(leader)[0]
		for what, try := range map[string]func() error{
			"removed":           func() error { return raftFace{leader.Agent}.RemovePeer(t.Context(), other.id) },
			"leaves":            func() error { return lifeFace{other.Agent}.Leave(t.Context()) },
			"the leader leaves": func() error { return lifeFace{leader.Agent}.Leave(t.Context()) },
		} {
			refusedFor(t, what, try(), "the group could not go on. Bring "+dead.name+" back")
		}
		if now := w.leader(); now != leader {
			t.Errorf("%s leads, it was %s", now.name, leader.name)
		}
		for _, p := range w.running() {
			w.until("it works again", func() bool { return (lifeFace{p.Agent}).Ready() == nil })
		}
		if err := (membersFace{other.Agent}).ForceLeave(t.Context(), dead.name); err != nil {
			t.Fatal(err)
		}
		if err := (lifeFace{leader.Agent}).Leave(t.Context()); err != nil {
			t.Fatal(err)
		}
		leader.ended(nil)
		w.leader().apply(&fsm.OperatorAct{Action: "still writable", Cause: operator})
	})
}

// TestLeavesRightAfterATermBegan lets a peer leave while the leader has heard from nobody yet, as one that has just taken over: it
// waits for what the others say. A minute into the term nobody is waited for.
func TestLeavesRightAfterATermBegan(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		leader := w.leader()
		deaf := func(began time.Time) *term {
			now := leader.term.Load()
			return &term{agent: now.agent, began: began, hearing: newHearing()}
		}
		young := deaf(time.Now())
		go func() {
			<-time.After(300 * time.Millisecond)
			for _, p := range w.others(leader) {
				young.hearing.hear(p.word())
			}
		}()
		asked := time.Now()
		if err := young.spares(t.Context(), w.others(leader)[0].id); err != nil || time.Since(asked) > time.Second {
			t.Errorf("after %s: %v", time.Since(asked), err)
		}
		asked = time.Now()
		refusedFor(t, "later", deaf(time.Now().Add(-time.Minute)).spares(t.Context(), w.others(leader)[0].id), "could not go on")
		if took := time.Since(asked); took != 0 {
			t.Errorf("the refusal took %s", took)
		}
	})
}

// TestLeadershipGoesToWhoCanLead asks for leadership to move where it cannot, and where it is.
func TestLeadershipGoesToWhoCanLead(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		w.joined("worker-1")
		leader, worker := w.leader(), w.peers[3]
		move := func(id string) error { return raftFace{w.follower().Agent}.TransferLeader(t.Context(), id) }
		if err := move(leader.id); err != nil || w.leader() != leader {
			t.Errorf("to who leads: %v", err)
		}
		refusedFor(t, "to a worker", move(worker.id), "worker-1 does not vote")
		refusedFor(t, "to nobody", move("01NOBODY"), "there is no server")
		dead := w.follower()
		dead.dies()
		refusedFor(t, "to a dead one", move(dead.id), dead.name+" is not heard by "+leader.name)
		for _, p := range w.others(leader) {
			if p != worker && p != dead {
				if err := move(p.id); err != nil || w.leader() != p {
					t.Errorf("to %s: %v", p.name, err)
				}
			}
		}
		refusedFor(t, "removing who leads", raftFace{w.follower().Agent}.RemovePeer(t.Context(), w.leader().id), "transfer-leader")
	})
	inBubble(t, 1, func(t *testing.T, w *world) {
		refusedFor(t, "alone", raftFace{w.leader().Agent}.TransferLeader(t.Context(), ""), "the only voter")
	})
}

// TestForceLeaveTakesTheFailedOfTwo lets a failed peer go while a new one of its name is on its way in.
func TestForceLeaveTakesTheFailedOfTwo(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		dead := w.follower()
		dead.dies()
		leader := w.leader()
		twin := fsm.Peer{ID: "00TWIN", Name: dead.name, Status: fsm.PeerAlive} // before the failed one in the order of ids
		if err := leader.raft.AddNonvoter(raft.ServerID(twin.ID), raft.ServerAddress(twin.ID), 0, time.Minute).Error(); err != nil {
			t.Fatal(err)
		}
		leader.apply(&fsm.PeerSet{Peer: twin})
		if err := (membersFace{leader.Agent}).ForceLeave(t.Context(), dead.name); err != nil {
			t.Error(err)
		}
		if r := leader.machine.Read(); r.Peer(dead.id) != nil {
			t.Error("the failed one is still there")
		}
		if err := (raftFace{leader.Agent}).RemovePeer(t.Context(), twin.ID); err != nil {
			t.Fatal(err)
		}
	})
}
