package agent

import (
	"context"
	"time"

	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/agent/life"
	"github.com/musterhq/muster/fsm"
)

// raise lifts the group's feature level to what every server in the raft configuration, dead ones included, has announced.
// It does not while one is being added.
func (t *term) raise(ctx context.Context) {
	if !t.joining.TryLock() {
		return
	}
	defer t.joining.Unlock()
	a := t.agent
	servers, err := a.configuration()
	if err != nil {
		return
	}
	r := a.machine.Read()
	level := t.announced(r, servers)
	if level <= r.Meta().Feature {
		return
	}
	switch err := t.do(ctx, &fsm.FeatureRaise{Level: level}); {
	case err == nil:
		a.log.Info("feature level raised", "feature_level", level)
	case ctx.Err() == nil:
		a.log.Warn("feature level was not raised", "feature_level", level, "error", err)
	}
}

const (
	ripeWait  = 5 * time.Second // for a level that is about to be raised
	ripePause = 25 * time.Millisecond
)

// ripe waits, for ripeWait at most, until the group's level lets frames in, where it is about to be raised. A group is born at an early
// level and has that of its founders once all of them are heard, a second or two later: until then it is not to refuse what all of them
// understand.
func (t *term) ripe(ctx context.Context, frames []byte) {
	ctx, cancel := context.WithTimeout(ctx, ripeWait)
	defer cancel()
	for {
		r := t.agent.machine.Read()
		level := r.Meta().Feature
		if level >= t.agent.machine.Level || fsm.Admit(frames, level) == nil {
			return
		}
		servers, err := t.agent.configuration()
		if announced := t.announced(r, servers); err != nil || announced != 0 && announced <= level || !life.Pause(ctx, ripePause) {
			return
		}
	}
}

// announced is the level that all servers understand: each by its row, and by its word where that says less; 0 while there is
// no row of one.
func (t *term) announced(r *fsm.Reader, servers []raft.Server) uint32 {
	level := t.agent.machine.Level
	for _, s := range servers {
		row := r.Peer(string(s.ID))
		if row == nil {
			return 0
		}
		level = min(level, row.Release)
		if w, heard := t.hearing.of(string(s.ID)); heard {
			level = min(level, w.Peer.Release)
		}
	}
	return level
}
