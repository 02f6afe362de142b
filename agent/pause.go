package agent

import (
	"context"

	"github.com/musterhq/muster/fsm"
)

// resume ends a pause of all scheduling whose time is over. The scheduler goes on without it; this is the row and the event.
func (t *term) resume(ctx context.Context) {
	a := t.agent
	p := a.machine.Read().Settings().Pause
	if p == nil || p.Holds(t.clock.Now()) {
		return
	}
	err := t.do(ctx, &fsm.ScheduleResume{Until: p.Until, Cause: fsm.Cause{Kind: fsm.CauseGroup, Peer: a.cfg.Name}})
	switch {
	case err == nil:
		a.log.Info("the pause of all scheduling is over")
	case ctx.Err() == nil:
		a.log.Warn("the end of a pause was not written", "error", err)
	}
}
