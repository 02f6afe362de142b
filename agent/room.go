package agent

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/agent/space"
	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

const (
	roomEvery = time.Second
	roomAgain = 10 * time.Second // before leadership is given away once more
)

// watchRoom judges the disks of the voters, as their words tell them, until ctx ends. A leader with little room gives
// leadership to a voter that has more. While it leads without room, or fewer than a quorum have some, operators' writes are
// refused: what is left is for what keeps the group going, and for the way out.
func (t *term) watchRoom(ctx context.Context) error {
	a := t.agent
	tick := time.NewTicker(roomEvery)
	defer tick.Stop()
	var tried time.Time
	for {
		own := a.space.Level()
		full, better := t.disks(own)
		t.full.Store(full)
		if better != "" && time.Since(tried) >= roomAgain {
			tried = time.Now()
			a.log.Warn("giving leadership to a peer with more room on its disk", "peer", better, "own", own.String())
			if err := a.asker.HandOver(ctx, better); err != nil && ctx.Err() == nil {
				a.log.Warn("leadership was not given to a peer with more room on its disk", "peer", better, "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// disks judges those of the voters: why writes are refused, nil while they are not, and which voter that keeps up, stays and
// has the same time should lead since it has more room than the leader.
func (t *term) disks(own space.Level) (full *fsm.Error, better raft.ServerID) {
	a := t.agent
	servers, err := a.configuration()
	if err != nil {
		return t.full.Load(), ""
	}
	most, voters := own, 0
	var without []string
	for _, s := range servers {
		if s.Suffrage != raft.Voter {
			continue
		}
		voters++
		id, level, name := string(s.ID), own, a.cfg.Name
		if id != a.id {
			w, heard := t.hearing.of(id)
			if !heard {
				continue
			}
			level, name = w.Disk, w.Peer.Name
			ahead, _ := t.hearing.ahead(id, a.cfg.Seams.Now())
			if level < most && ahead.Abs() <= clockOff && t.hearing.ready(id, a.machine.Read().Meta().Index) {
				most, better = level, s.ID
			}
		}
		if level == space.Full {
			without = append(without, name)
		}
	}
	slices.Sort(without)
	if own < space.Full && voters-len(without) > voters/2 {
		return nil, better
	}
	return fsm.Errorf(httpd.CodeDiskFull, "the disk of %s is full: nothing was written, and nothing will be until there is room again",
		strings.Join(without, ", ")), better
}

// room refuses what operators want written while disks are full. What they want done is let through: it is the way out.
func (t *term) room(commands ...fsm.Command) error {
	full := t.full.Load()
	if full == nil {
		return nil
	}
	for _, c := range commands {
		switch c.(type) {
		case *fsm.SettingsSet, *fsm.DiscoveryApply, *fsm.DiscoveryDelete, *fsm.DiscoveryRelease, *fsm.ClusterChange, *fsm.TokenCreate:
			return full
		}
	}
	return nil
}

// disk is what this peer says of its own.
func (a *Agent) disk() *httpd.DiskStatus {
	if a.space == nil {
		return nil
	}
	room, level := a.space.State()
	return &httpd.DiskStatus{Dir: a.dir.Path(), Level: level.String(), Free: room.Free, Total: room.Total}
}

// Warnings are what somebody should look after although the peer is ready.
func (f lifeFace) Warnings() (out []string) {
	if room, level := f.space.State(); level != space.Ample {
		out = append(out, fmt.Sprintf("the disk of %s is %s: %s", f.dir.Path(), level, room))
	}
	if size := f.snapshotBytes(); size > f.cfg.MaxSnapshot {
		out = append(out, fmt.Sprintf("a snapshot has %d bytes, and peers take up %d from their leader: raise -max-snapshot-mib on all of them",
			size, f.cfg.MaxSnapshot))
	}
	out = append(out, f.reloads.warnings()...)
	if p := f.machine.Read().Settings().Pause; p != nil {
		out = append(out, p.Refusal().Message)
	}
	if d := f.discord(); d != "" {
		out = append(out, d)
	}
	return out
}
