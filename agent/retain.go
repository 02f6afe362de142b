package agent

import (
	"context"
	"time"

	"github.com/musterhq/muster/agent/life"
	"github.com/musterhq/muster/fsm"
)

const retainEvery = time.Minute

// retain trims the events that are beyond a limit and takes expired tokens away, once a minute at most: when its term begins,
// and each minute from the last trimming or look on, so that where no term lasts a minute it is done too.
func (t *term) retain(ctx context.Context) error {
	for {
		r, now := t.agent.machine.Read(), t.clock.Now()
		wait := retainEvery - now.Sub(r.Meta().Trimmed).Std()
		if wait <= 0 {
			wait = retainEvery
			if c := r.Excess(now); c != nil {
				t.retained(ctx, "events", t.trimTo(ctx, c))
			}
			if c := r.Expired(now); c != nil {
				t.retained(ctx, "tokens", t.do(ctx, c))
			}
		}
		if !life.Pause(ctx, wait) {
			return nil
		}
	}
}

// retained says that something is kept beyond its limit for want of an entry.
func (t *term) retained(ctx context.Context, what string, err error) {
	if err != nil && ctx.Err() == nil {
		t.agent.log.Warn("more is kept than should be", "what", what, "error", err)
	}
}

// trimTo trims in bites.
func (t *term) trimTo(ctx context.Context, c *fsm.EventsTrim) error {
	for {
		bite := c.Bite(t.agent.machine.Read().Meta())
		if bite == nil {
			return nil
		}
		if err := t.do(ctx, bite); err != nil {
			return err
		}
	}
}
