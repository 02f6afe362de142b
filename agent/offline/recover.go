package offline

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/agent/boltstore"
	"github.com/musterhq/muster/agent/consensus"
	"github.com/musterhq/muster/agent/datadir"
	"github.com/musterhq/muster/agent/mint"
	"github.com/musterhq/muster/agent/replica"
	"github.com/musterhq/muster/agent/snapshots"
	"github.com/musterhq/muster/fsm"
)

// Recovery makes a group of one out of what one peer has on its disk, where most voters are lost for good. It works on the
// data directory of a peer that is stopped: OpenRecovery reads it and says what would come of it, Do does it.
//
// All entries in the peer's log count as committed, also those of which it never learned that they were. The group that comes
// of it begins a new epoch and has another id, so that peers of the old one that come to life again are strangers to it and
// cannot take it back to their past; wiped, they join it.
type Recovery struct {
	Peer    string   // name of the peer
	Dropped []string // names of the others
	Index   uint64   // of the last entry of its log
	Seq     uint64   // of the last event
	Aside   string   // where Do keeps the files as they were

	dir     *datadir.Dir
	store   *boltstore.Store
	snaps   *snapshots.Store
	machine *replica.Machine
	first   uint64
}

// OpenRecovery refuses a directory that a process holds, or that holds no group. Close must be called.
func OpenRecovery(path string, log *slog.Logger) (_ *Recovery, err error) {
	r := &Recovery{}
	if r.dir, err = datadir.OpenStopped(path); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.Close())
		}
	}()
	r.Aside = r.dir.File("before-recovery-" + time.Now().UTC().Format("20060102T150405Z"))
	if r.store, err = boltstore.Open(boltstore.Config{Path: r.dir.File(datadir.FileRaft)}); err != nil {
		return nil, unrecoverable(err)
	}
	r.snaps, err = snapshots.Open(snapshots.Config{Dir: r.dir.Path(), Logs: r.store, Log: log, Logger: consensus.Logger(log)})
	if err != nil {
		return nil, err
	}
	r.machine = replica.New(r.dir.ID(), func(error) {})
	if err := r.replay(); err != nil {
		return nil, unrecoverable(err)
	}
	state := r.machine.Read()
	if r.Seq = state.Meta().Seq; state.Meta().Epoch() == "" {
		return nil, fmt.Errorf("data directory %s holds no group yet: there is nothing to recover", path)
	}
	for p := range state.Peers() {
		if p.ID == r.dir.ID() {
			r.Peer = p.Name
		} else {
			r.Dropped = append(r.Dropped, p.Name)
		}
	}
	slices.Sort(r.Dropped)
	return r, nil
}

// unrecoverable says of damage what helps here: who is damaged is told elsewhere to join anew, and there is no group to join.
func unrecoverable(err error) error {
	const out = "this peer cannot be recovered from: take another one, or restore a backup into a new group"
	if d, ok := errors.AsType[*snapshots.DamageError](err); ok {
		return fmt.Errorf("snapshot %s is corrupt: %s; %s", d.File, d.Reason, out)
	}
	if d, ok := errors.AsType[*boltstore.CorruptError](err); ok {
		return fmt.Errorf("log store %s is corrupt at entry %d: %s; %s", d.Path, d.Index, d.Reason, out)
	}
	return err
}

// restore takes the newest snapshot that is whole. An older one than the newest it is only where the log holds all that came
// between them, which the store sees to.
func (r *Recovery) restore() error {
	all, err := r.snaps.List()
	if err != nil || len(all) == 0 {
		return err
	}
	for _, meta := range all {
		_, from, err := r.snaps.Open(meta.ID)
		if err == nil {
			err = r.machine.Restore(from)
		}
		if err == nil {
			r.Index = meta.Index
			return nil
		}
		if errors.Is(err, fsm.ErrNewer) {
			return err
		}
	}
	return r.snaps.Damage()
}

// replay brings the state to the end of the log: a snapshot, then all entries after it.
func (r *Recovery) replay() error {
	if err := r.restore(); err != nil {
		return err
	}
	first, err := r.store.FirstIndex()
	if err != nil {
		return err
	}
	last, err := r.store.LastIndex()
	if err != nil {
		return err
	}
	r.first = first
	for r.Index < last {
		var entry raft.Log
		if err := r.store.GetLog(r.Index+1, &entry); err != nil {
			return fmt.Errorf("entry %d: %w", r.Index+1, err)
		}
		if r.Index = entry.Index; entry.Type != raft.LogCommand {
			continue
		}
		if err, failed := r.machine.Apply(&entry).(error); failed {
			return err
		}
	}
	return nil
}

// Do recovers. The old files are copied aside first; it may be run again where it was cut off.
func (r *Recovery) Do() error {
	if err := r.dir.CopyAside(r.Aside, datadir.FileRaft, "snapshots", datadir.FileSelf, datadir.FilePeers); err != nil {
		return fmt.Errorf("keep the old files in %s: %w", r.Aside, err)
	}
	own := *r.machine.Read().Meta()
	now := time.Now()
	own.Group, own.Index, own.Time = mint.ID(now), r.Index, fsm.TimeOf(now)
	as := fsm.Rebirth{Epoch: mint.ID(now), Own: own, Cause: fsm.Cause{Kind: fsm.CauseOperator, Address: "offline"}}
	for p := range r.machine.Read().Peers() {
		if p.ID == r.dir.ID() {
			as.Peers = append(as.Peers, *p)
		}
	}
	index, err := r.machine.BeginEpoch(as)
	if err != nil {
		return err
	}
	if err := r.write(index); err != nil {
		return fmt.Errorf("write the new snapshot: %w", err)
	}
	if r.first > 0 {
		if err := r.store.DeleteRange(r.first, r.Index); err != nil {
			return fmt.Errorf("clear the log: %w", err)
		}
	}
	if err := os.Remove(r.dir.File(datadir.FilePeers)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("forget the addresses of the others: %w", err)
	}
	return r.dir.Recovered(own.Group)
}

// write writes the state as a snapshot whose only server is this peer.
func (r *Recovery) write(index uint64) error {
	term, err := consensus.Term(r.store)
	if err != nil {
		return err
	}
	state, err := r.machine.Snapshot()
	if err != nil {
		return err
	}
	id := r.dir.ID()
	only := raft.Configuration{Servers: []raft.Server{{ID: raft.ServerID(id), Address: raft.ServerAddress(id)}}}
	_, transport := raft.NewInmemTransport(raft.ServerAddress(id)) // it only says how addresses are written
	sink, err := r.snaps.Create(raft.SnapshotVersionMax, index, max(term, 1), only, 1, transport)
	if err != nil {
		return err
	}
	return state.Persist(sink)
}

// Close gives the directory free.
func (r *Recovery) Close() error {
	var errs []error
	if r.store != nil {
		errs = append(errs, r.store.Close())
	}
	return errors.Join(append(errs, r.dir.Close())...)
}
