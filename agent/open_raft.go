package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/agent/boltstore"
	"github.com/musterhq/muster/agent/consensus"
	"github.com/musterhq/muster/agent/datadir"
	"github.com/musterhq/muster/agent/snapshots"
	"github.com/musterhq/muster/fsm"
)

// openRaft opens log and snapshots, and makes raft, which begins at once to restore the state from them.
func (a *Agent) openRaft(ctx context.Context) error {
	if err := a.openStores(); err != nil {
		return err
	}
	s := &a.cfg.Seams
	fresh, err := consensus.Blank(s.Logs, s.Stable, s.Snapshots)
	if err != nil {
		return fmt.Errorf("read the log: %w", err)
	}
	if err := a.mayBegin(fresh); err != nil {
		return err
	}
	a.transport = consensus.NewTransport(a.port.Streams(), a.cfg.MaxSnapshot, a.log)
	a.did("raft transport", a.transport.Close)
	parts := consensus.Parts{
		Config: consensus.Config(a.id, a.cfg.RaftMultiplier, a.log), FSM: a.machine, Snapshots: s.Snapshots, Transport: a.transport,
	}
	if s.Raft != nil {
		s.Raft(&parts)
	}
	a.wire = parts.Transport
	if a.logs, err = consensus.FitLogs(s.Logs, parts.Snapshots); err != nil {
		return err
	}
	if err := a.startRaft(parts); err != nil {
		return fmt.Errorf("raft: %w", err)
	}
	a.leads, a.asker, a.leaders = a.raft.LeaderCh(), consensus.NewAsker(a.raft), consensus.NewLeaders(a.raft)
	if fresh && a.cfg.BootstrapExpect > 0 && !a.cfg.Worker {
		return a.makeFounder(ctx)
	}
	return nil
}

// mayBegin refuses a peer without a log that once had one, or that is not told what to do about it.
func (a *Agent) mayBegin(fresh bool) error {
	if fresh && a.dir.Group() != "" {
		return fmt.Errorf("data directory %s belongs to a member of a group but its log is gone: a peer that forgot its votes may "+
			"not vote again. Wipe the directory; the peer then enters as a new one and takes the place of this one", a.dir.Path())
	}
	if fresh && a.cfg.BootstrapExpect == 0 && len(a.cfg.Join) == 0 {
		return errors.New("this peer has no log yet and is told neither to found a group nor to join one: " +
			"say -bootstrap-expect N to found a group of N voters together, or -join HOST:PORT to enter one " +
			"(-dev makes a group of one that forgets)")
	}
	return nil
}

// startRaft makes raft. What keeps it from restoring the state is told as what it is: raft itself says only that no snapshot could
// be loaded, or panics with the error of an entry.
func (a *Agent) startRaft(parts consensus.Parts) (err error) {
	defer consensus.Caught(&err)
	a.raft, err = consensus.Start(parts, a.logs, a.cfg.Seams.Stable)
	if err == nil {
		a.did("raft", func() error { return a.raft.Shutdown().Error() })
	}
	if failed := a.machine.Failed(); failed != nil {
		return failed
	}
	if a.snapshots == nil {
		return err
	}
	if err != nil {
		return cmp.Or(a.snapshots.Damage(), err)
	}
	return a.snapshots.Settle()
}

// openStores opens what was not given.
func (a *Agent) openStores() error {
	s := &a.cfg.Seams
	if a.cfg.Dev {
		mem := raft.NewInmemStore()
		s.Logs, s.Stable, s.Snapshots = mem, mem, raft.NewInmemSnapshotStore()
		return nil
	}
	if s.Logs == nil {
		store, err := boltstore.Open(boltstore.Config{
			Path: a.dir.File(datadir.FileRaft), Registerer: a.cfg.Registerer, BeforeCommit: s.BeforeCommit,
		})
		if err != nil {
			return err
		}
		a.did("log store", store.Close)
		a.store, s.Logs = store, store
		s.Stable = consensus.Stable{StableStore: store, Latched: store.Err}
	}
	if s.Snapshots == nil {
		cfg := snapshots.Config{
			Dir: a.dir.Path(), Logs: s.Logs, Log: a.log, Logger: consensus.Logger(a.log), Applied: func() uint64 { return a.logs.Applied() },
			Check: fsm.CheckSnapshot,
		}
		if a.store != nil {
			cfg.Latched = a.store.Err
		}
		snaps, err := snapshots.Open(cfg)
		if err != nil {
			return err
		}
		a.snapshots, s.Snapshots = snaps, snaps
	}
	return nil
}
