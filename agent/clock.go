package agent

import (
	"sync"
	"time"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

// clock is a leader's logical time, with the clocks of this peer.
type clock struct {
	wall  func() time.Time
	began time.Time // of the term, for its monotonic reading only

	mu   sync.Mutex
	term refresh.Clock
}

func newClock(wall func() time.Time, state fsm.Time) *clock {
	return &clock{wall: wall, term: refresh.NewClock(state), began: time.Now()}
}

func (c *clock) now() fsm.Time { return c.instant().Time }

// instant is now with the monotonic time since takeover.
func (c *clock) instant() refresh.Instant {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.term.Instant(fsm.TimeOf(c.wall()), time.Since(c.began))
}
