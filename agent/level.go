package agent

import (
	"context"

	"github.com/hashicorp/raft"

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
		a.log.Info("feature level raised", "level", level)
	case ctx.Err() == nil:
		a.log.Warn("feature level was not raised", "level", level, "error", err)
	}
}

// announced is the level that all servers understand: each by its row, and by its word where that says less; 0 while there is
// no row of one.
func (t *term) announced(r *fsm.Reader, servers []raft.Server) uint32 {
	level := t.agent.machine.level
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
