package main

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

// disk is what a stopped peer's data directory holds.
type disk struct {
	peer  string
	store *boltstore.Store
	state *fsm.State
	last  uint64 // of the log
}

// openDisk reads a stopped peer's newest snapshot.
func openDisk(peer, dir string) (*disk, error) {
	d := &disk{peer: peer, state: fsm.NewState()}
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
	d.last, err = d.store.LastIndex()
	d.last = max(d.last, d.index())
	return d, err
}

func (d *disk) index() uint64 { return d.state.Read().Meta().Index }

// replay applies the log's entries up to one.
func (d *disk) replay(until uint64) error {
	first, err := d.store.FirstIndex()
	if err != nil {
		return err
	}
	for i := max(first, d.index()+1); i <= until; i++ {
		var entry raft.Log
		if err := d.store.GetLog(i, &entry); err != nil {
			return fmt.Errorf("entry %d of %s: %w", i, d.peer, err)
		}
		if entry.Type != raft.LogCommand {
			continue
		}
		if _, err := d.state.Apply(i, entry.Data); err != nil {
			return fmt.Errorf("entry %d of %s: %w", i, d.peer, err)
		}
	}
	return nil
}

// events are all that the state keeps, as a follower is told them.
func (d *disk) events() (out []httpd.Event, err error) {
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

// onDisk compares what the stopped peers have on their disks with each other, at the last entry that all have, and with what
// their followers were told.
func onDisk(dirs map[string]string, told []httpd.Event) (wrong []string, err error) {
	var disks []*disk
	for peer, dir := range dirs {
		d, err := openDisk(peer, dir)
		if err != nil {
			return nil, fmt.Errorf("disk of %s: %w", peer, err)
		}
		defer d.store.Close()
		disks = append(disks, d)
	}
	common := disks[0].last
	for _, d := range disks {
		common = min(common, d.last)
	}
	var first bytes.Buffer
	for i, d := range disks {
		if d.index() > common {
			return nil, fmt.Errorf("the snapshot of %s is at entry %d, another peer's log ends at %d", d.peer, d.index(), common)
		}
		if err := d.replay(common); err != nil {
			return nil, err
		}
		kept, err := d.events()
		if err != nil {
			return nil, err
		}
		wrong = append(wrong, apartFrom("disk of "+d.peer, kept, "followers", told)...)
		if len(kept) < len(told) {
			wrong = append(wrong, fmt.Sprintf("the disk of %s holds %d events, followers were told %d", d.peer, len(kept), len(told)))
		}
		var state bytes.Buffer
		if err := d.state.Read().WriteSnapshot(&state); err != nil {
			return nil, err
		}
		if i == 0 {
			first = state
		} else if !bytes.Equal(first.Bytes(), state.Bytes()) {
			wrong = append(wrong, fmt.Sprintf("the states of %s and %s differ at entry %d", disks[0].peer, d.peer, common))
		}
	}
	return wrong, nil
}
