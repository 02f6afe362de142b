package agent

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/agent/boltstore"
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

	dir     *directory
	store   *boltstore.Store
	snaps   raft.SnapshotStore
	machine *machine
	first   uint64
}

// OpenRecovery refuses a directory that a process holds, or that holds no group. Close must be called.
func OpenRecovery(path string, log *slog.Logger) (_ *Recovery, err error) {
	r := &Recovery{}
	if r.dir, err = openStopped(path); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.Close())
		}
	}()
	r.Aside = r.dir.file("before-recovery-" + time.Now().UTC().Format("20060102T150405Z"))
	if r.store, err = boltstore.Open(boltstore.Config{Path: r.dir.file(fileRaft)}); err != nil {
		return nil, err
	}
	if r.snaps, err = raft.NewFileSnapshotStoreWithLogger(r.dir.path, 2, raftLogger(log)); err != nil {
		return nil, fmt.Errorf("snapshots: %w", err)
	}
	r.machine = newMachine(r.dir.self.ID, func(error) {})
	if err := r.replay(); err != nil {
		return nil, err
	}
	state := r.machine.Read()
	if r.Seq = state.Meta().Seq; state.Meta().Epoch() == "" {
		return nil, fmt.Errorf("data directory %s holds no group yet: there is nothing to recover", path)
	}
	for p := range state.Peers() {
		if p.ID == r.dir.self.ID {
			r.Peer = p.Name
		} else {
			r.Dropped = append(r.Dropped, p.Name)
		}
	}
	slices.Sort(r.Dropped)
	return r, nil
}

// replay brings the state to the end of the log: the newest snapshot, then all entries after it.
func (r *Recovery) replay() error {
	snapshots, err := r.snaps.List()
	if err != nil {
		return fmt.Errorf("snapshots: %w", err)
	}
	if len(snapshots) > 0 {
		meta, from, err := r.snaps.Open(snapshots[0].ID)
		if err == nil {
			r.Index = meta.Index
			err = r.machine.Restore(from)
		}
		if err != nil {
			return fmt.Errorf("snapshot %s: %w", snapshots[0].ID, err)
		}
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
	if err := r.keepAside(); err != nil {
		return fmt.Errorf("keep the old files in %s: %w", r.Aside, err)
	}
	own := *r.machine.Read().Meta()
	now := time.Now()
	own.Group, own.Index, own.Time = newULID(now), r.Index, fsm.TimeOf(now)
	as := fsm.Rebirth{Epoch: newULID(now), Own: own, Cause: fsm.Cause{Kind: fsm.CauseOperator, Address: "offline"}}
	for p := range r.machine.Read().Peers() {
		if p.ID == r.dir.self.ID {
			as.Peers = append(as.Peers, *p)
		}
	}
	index, err := r.machine.state.BeginEpoch(as)
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
	if err := os.Remove(r.dir.file(filePeers)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("forget the addresses of the others: %w", err)
	}
	return r.dir.change(func(s *self) { s.Group = own.Group })
}

// write writes the state as a snapshot whose only server is this peer.
func (r *Recovery) write(index uint64) error {
	term, err := number(r.store, keyTerm)
	if err != nil {
		return err
	}
	id := r.dir.self.ID
	only := raft.Configuration{Servers: []raft.Server{{ID: raft.ServerID(id), Address: raft.ServerAddress(id)}}}
	_, transport := raft.NewInmemTransport(raft.ServerAddress(id)) // it only says how addresses are written
	sink, err := r.snaps.Create(raft.SnapshotVersionMax, index, max(term, 1), only, 1, transport)
	if err != nil {
		return err
	}
	return pinned{r.machine.Read()}.Persist(sink)
}

// keepAside copies what will change.
func (r *Recovery) keepAside() error {
	if err := os.Mkdir(r.Aside, 0o700); err != nil {
		return err
	}
	for _, name := range []string{fileRaft, "snapshots", fileSelf, filePeers} {
		err := filepath.WalkDir(r.dir.file(name), func(path string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil {
				return err
			}
			below, err := filepath.Rel(r.dir.path, path)
			if err != nil {
				return err
			}
			to := filepath.Join(r.Aside, below)
			if d.IsDir() {
				return os.Mkdir(to, 0o700)
			}
			return copyFile(path, to)
		})
		if err != nil {
			return err
		}
	}
	return syncDir(r.Aside)
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return errors.Join(err, in.Close())
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, in.Close(), out.Sync(), out.Close())
}

// Close gives the directory free.
func (r *Recovery) Close() error {
	var errs []error
	if r.store != nil {
		errs = append(errs, r.store.Close())
	}
	return errors.Join(append(errs, r.dir.close())...)
}
