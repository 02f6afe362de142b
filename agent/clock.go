package agent

import (
	"sync"
	"time"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

// clock is the logical time of one leader's term: never behind the wall clock, never going back, and going on when the wall
// clock stands or jumps back. A jump forward is followed for good: the state keeps the largest time it was told, so what
// came after a jump back would stand still until the wall clock had caught up.
type clock struct {
	wall  func() time.Time
	began time.Time // of the term, for its monotonic reading only

	mu   sync.Mutex
	base fsm.Time      // the state's time at takeover, or the wall clock's when it was last ahead
	at   time.Duration // since the term began, when base was set
}

func newClock(wall func() time.Time, state fsm.Time) *clock {
	return &clock{wall: wall, base: state, began: time.Now()}
}

func (c *clock) now() fsm.Time { return c.instant().Time }

// instant is now with the monotonic time since takeover.
func (c *clock) instant() refresh.Instant {
	c.mu.Lock()
	defer c.mu.Unlock()
	mono := time.Since(c.began)
	now := c.base.Add(fsm.DurationOf(mono - c.at))
	if wall := fsm.TimeOf(c.wall()); wall > now {
		now, c.base, c.at = wall, wall, mono
	}
	return refresh.Instant{Time: now, Mono: mono}
}
