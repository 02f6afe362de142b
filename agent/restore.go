package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/agent/backup"
	"github.com/musterhq/muster/agent/consensus"
	"github.com/musterhq/muster/agent/mint"
	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

// A restore replaces the state of the whole group in one step. The leader verifies all of the backup while it goes on
// leading. Then the work of its term ends, and the state, made one of this group's (fsm.BeginEpoch), is given to raft, which
// keeps it as a snapshot, puts it in place, and has the other peers take the same when they get the next entry. What is
// proposed meanwhile is refused; what was claimed is claimed no more.

// restore is a verified backup on its way into the state.
type restore struct {
	state *fsm.State // until it is in a file
	cause fsm.Cause
	out   httpd.Restored
	err   error
	done  chan struct{} // out and err are set
}

// restore reads a backup, as the leader, and has it take the place of the state. One at a time: each holds a whole state.
func (a *Agent) restore(ctx context.Context, from io.Reader, cause fsm.Cause) (httpd.Restored, error) {
	if !a.restoring.TryLock() {
		_, _ = io.Copy(io.Discard, from) // who still sends does not read the answer
		return httpd.Restored{}, fsm.Errorf(fsm.CodeConflict, "another restore is under way; nothing was done")
	}
	defer a.restoring.Unlock()
	b, err := backup.Read(from)
	if err == nil {
		err = a.machine.Read().Meta().TakesUp(b.State.Read().Meta())
	}
	if err != nil {
		_, _ = io.Copy(io.Discard, from)
		return httpd.Restored{}, fsm.Errorf(fsm.CodeInvalid, "%s; nothing was done", err)
	}
	if t := a.term.Load(); t != nil {
		if full := t.full.Load(); full != nil {
			return httpd.Restored{}, full
		}
	}
	r := &restore{state: b.State, cause: cause, done: make(chan struct{})}
	select {
	case a.restores <- r:
	case <-a.ending.Done():
		return r.out, consensus.ErrNotLeading
	case <-ctx.Done():
		return r.out, fsm.Errorf(fsm.CodeUnavailable, "the restore was given up before it began")
	}
	select {
	case <-r.done:
		return r.out, r.err
	case <-ctx.Done():
		return httpd.Restored{}, fmt.Errorf("wait for the restore: %w", context.Cause(ctx))
	}
}

// takeUp does a restore. No term's work is under way, so that nobody proposes. The barrier lets the state have what earlier
// leaders committed, of which it keeps the peers and the feature level.
func (a *Agent) takeUp(r *restore) {
	defer close(r.done)
	if err := a.raft.Barrier(barrierWait).Error(); err != nil {
		r.err = fsm.Errorf(fsm.CodeUnavailable, "raft did not take the backup (%s); nothing was done, try again", err)
		return
	}
	as := a.rebirth(r.cause)
	index, err := r.state.BeginEpoch(as)
	if err != nil {
		r.err = err
		return
	}
	out := a.outcome(r.state.Read())
	snapshot, size, err := a.spool(r)
	if err != nil {
		r.err = fsm.Errorf(fsm.CodeUnavailable, "%s; nothing was done", err)
		return
	}
	defer func() {
		if err := unspool(snapshot); err != nil {
			a.log.Warn("the file of a restore was not removed", "error", err)
		}
	}()
	if size > a.cfg.MaxSnapshot {
		r.err = fsm.Errorf(fsm.CodeTooLarge, "the state of the backup has %d bytes, and peers take up %d from their leader "+
			"(-max-snapshot-mib); nothing was done", size, a.cfg.MaxSnapshot)
		return
	}
	err = a.raft.Restore(&raft.SnapshotMeta{Version: 1, Index: index, Size: size}, snapshot, 0)
	if r.err = a.restored(as.Epoch, err); r.err != nil {
		a.log.Warn("restore failed", "epoch", as.Epoch, "error", err)
		return
	}
	r.out = out
	a.log.Warn("state restored from a backup", "epoch", as.Epoch, "index", index, "bytes", size)
}

// outcome is what to tell of a state in its new epoch.
func (a *Agent) outcome(r *fsm.Reader) httpd.Restored {
	m := r.Meta()
	out := httpd.Restored{Epoch: m.Epoch(), Cursor: m.Cursor(m.Seq - 1).String(), Index: m.Index, ACL: a.cfg.ACL}
	for range r.Tokens("") {
		out.Tokens++
	}
	return out
}

// rebirth is what the restored state keeps of this group.
func (a *Agent) rebirth(cause fsm.Cause) fsm.Rebirth {
	r, now := a.machine.Read(), a.cfg.Seams.Now()
	as := fsm.Rebirth{Epoch: mint.ID(now), Own: *r.Meta(), Pause: r.Settings().Pause, Cause: cause}
	as.Own.Index = max(as.Own.Index, a.raft.LastIndex())
	as.Own.Time = max(as.Own.Time, fsm.TimeOf(now))
	for p := range r.Peers() {
		as.Peers = append(as.Peers, *p)
	}
	return as
}

// restored judges an error of raft's: until the state here is of the new epoch nothing was done. After that, or when raft has
// ended under it, nobody can say.
func (a *Agent) restored(epoch string, err error) error {
	if err == nil || errors.Is(err, raft.ErrRaftShutdown) {
		return err
	}
	if a.machine.Read().Meta().Epoch() != epoch {
		return fsm.Errorf(fsm.CodeUnavailable, "raft did not take the backup (%s); nothing was done, try again", err)
	}
	return fsm.Errorf(fsm.CodeUnknown, "the outcome is unknown (%s); look at the epoch before you try again", err)
}

// spooled begins the names of the files that hold a state on its way into raft.
const spooled = "restore-"

// spool writes a restore's state into a file as raft will read it, lets the state go, and verifies what is there: raft cannot
// go back from a snapshot that it could not put in place. So no more than two states are in memory: the group's, and the one
// that is being read.
func (a *Agent) spool(r *restore) (_ *os.File, size int64, err error) {
	f, err := a.dir.Temp(spooled)
	if err != nil {
		return nil, 0, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, unspool(f))
		}
	}()
	err = r.state.Read().WriteSnapshot(f)
	r.state = nil
	if err != nil {
		return nil, 0, err
	}
	if size, err = f.Seek(0, io.SeekEnd); err != nil {
		return nil, 0, err
	}
	for _, use := range []func() error{
		func() error { _, err := f.Seek(0, io.SeekStart); return err },
		func() error { _, err := fsm.VerifySnapshot(f); return err },
		func() error { _, err := f.Seek(0, io.SeekStart); return err },
	} {
		if err := use(); err != nil {
			return nil, 0, err
		}
	}
	return f, size, nil
}

func unspool(f *os.File) error { return errors.Join(f.Close(), os.Remove(f.Name())) }
