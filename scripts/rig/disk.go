package rig

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/agent/boltstore"
	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

// Disk is what a stopped peer's data directory holds: the state of its newest snapshot, and the log.
type Disk struct {
	Peer  string
	Last  uint64 // entry of the log
	state *fsm.State
	store *boltstore.Store
}

// OpenDisk opens the data directory of a peer that is stopped. It locks the log until Close.
func OpenDisk(peer, dir string) (*Disk, error) {
	d := &Disk{Peer: peer, state: fsm.NewState()}
	snapshots, err := raft.NewFileSnapshotStore(dir, 2, io.Discard)
	if err != nil {
		return nil, err
	}
	kept, err := snapshots.List()
	if err != nil {
		return nil, err
	}
	if len(kept) > 0 {
		_, from, err := snapshots.Open(kept[0].ID)
		if err != nil {
			return nil, err
		}
		if err := errors.Join(d.state.Restore(from), from.Close()); err != nil {
			return nil, fmt.Errorf("snapshot %s of %s: %w", kept[0].ID, peer, err)
		}
	}
	if d.store, err = boltstore.Open(boltstore.Config{Path: filepath.Join(dir, "raft.db")}); err != nil {
		return nil, err
	}
	if d.Last, err = d.store.LastIndex(); err != nil {
		return nil, errors.Join(err, d.store.Close())
	}
	d.Last = max(d.Last, d.Index())
	return d, nil
}

// Close gives the directory free.
func (d *Disk) Close() error { return d.store.Close() }

// Index is the entry that the state has come to.
func (d *Disk) Index() uint64 { return d.state.Read().Meta().Index }

// Entries calls each with the log's commands, not decoded, from an entry to the last that is wanted. What it holds no more is
// left out.
func (d *Disk) Entries(from, until uint64, each func(index uint64, entry []byte) error) error {
	first, err := d.store.FirstIndex()
	if err != nil {
		return err
	}
	for i := max(first, from); i <= until; i++ {
		var entry raft.Log
		if err := d.store.GetLog(i, &entry); err != nil {
			return fmt.Errorf("entry %d of %s: %w", i, d.Peer, err)
		}
		if entry.Type != raft.LogCommand {
			continue
		}
		if err := each(i, entry.Data); err != nil {
			return fmt.Errorf("entry %d of %s: %w", i, d.Peer, err)
		}
	}
	return nil
}

// Replay applies the log's entries up to one.
func (d *Disk) Replay(until uint64) error {
	return d.Entries(d.Index()+1, until, func(index uint64, entry []byte) error {
		_, err := d.state.Apply(index, entry)
		return err
	})
}

// Events are all that the state keeps, as a follower is told them.
func (d *Disk) Events() (out []httpd.Event, err error) {
	r := d.state.Read()
	for e := range r.Events(0) {
		told := httpd.Event{
			Epoch: r.Meta().Epoch(), Seq: e.Seq, Time: e.Time, Type: e.Type, Cluster: e.Cluster, Node: e.Node, Shard: e.Shard,
			Maintenance: e.Maintenance, Cause: e.Cause,
		}
		for _, side := range []struct {
			part fsm.Part
			into *json.RawMessage
		}{{e.Before, &told.Before}, {e.After, &told.After}} {
			if side.part == nil {
				continue
			}
			if *side.into, err = json.Marshal(side.part); err != nil {
				return nil, err
			}
		}
		out = append(out, told)
	}
	return out, nil
}

// ReplayAll brings disks to the same entry, which all must hold, and says whose states differ there.
func ReplayAll(disks []*Disk, until uint64) (wrong []string, err error) {
	var first bytes.Buffer
	for i, d := range disks {
		if d.Index() > until {
			return nil, fmt.Errorf("the snapshot of %s is at entry %d, wanted is the state at %d", d.Peer, d.Index(), until)
		}
		if err := d.Replay(until); err != nil {
			return nil, err
		}
		var state bytes.Buffer
		if err := d.state.Read().WriteSnapshot(&state); err != nil {
			return nil, err
		}
		if i == 0 {
			first = state
		} else if !bytes.Equal(first.Bytes(), state.Bytes()) {
			wrong = append(wrong, fmt.Sprintf("the states of %s and %s differ at entry %d", disks[0].Peer, d.Peer, until))
		}
	}
	return wrong, nil
}
