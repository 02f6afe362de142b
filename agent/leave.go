package agent

import (
	"context"
	"time"

	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/agent/life"
	"github.com/musterhq/muster/fsm"
)

// Leave takes this peer out of the group for good and ends it.
func (f lifeFace) Leave(ctx context.Context) error {
	f.draining.Store(true)
	f.leaving.Store(true)
	if err := f.leaveGroup(ctx); err != nil {
		f.draining.Store(false)
		f.leaving.Store(false)
		return err
	}
	f.ending.End(errLeft)
	return nil
}

func (a *Agent) leaveGroup(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*stopWait)
	defer cancel()
	others, err := a.otherVoters()
	if err != nil {
		return err
	}
	if others == 0 {
		return fsm.Errorf(fsm.CodeConflict, "this peer is the only voter: a group cannot be left by its last one; stop it instead")
	}
	if t := a.term.Load(); t != nil { // before leadership is handed over for nothing
		if err := t.spares(ctx, a.id); err != nil {
			return err
		}
	}
	a.giveBack(ctx)
	for a.raft.State() == raft.Leader {
		if err := a.asker.HandOver(ctx, ""); err != nil && !life.Pause(ctx, 100*time.Millisecond) {
			return fsm.Errorf(fsm.CodeUnavailable, "leadership could not be handed over: %s", err)
		}
		life.Pause(ctx, 100*time.Millisecond)
	}
	_, err = callLeave.call(ctx, a, leaveRequest{ID: a.id, Reason: "left"})
	if left := a.raftIsDown() && !a.ending.Begun(); err != nil && !left { // raft ends by itself in who is out, whatever became of the answer
		return err
	}
	return a.dir.Left()
}
