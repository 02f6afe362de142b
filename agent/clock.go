package agent

import (
	"time"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

// clock is the logical time of one leader's term: never behind the wall clock, never going back, and going on when the wall
// clock stands or jumps back.
type clock struct {
	wall  func() time.Time
	base  fsm.Time  // the state's time at takeover
	began time.Time // for its monotonic reading only
}

func newClock(wall func() time.Time, state fsm.Time) *clock {
	return &clock{wall: wall, base: state, began: time.Now()}
}

func (c *clock) now() fsm.Time {
	return max(fsm.TimeOf(c.wall()), c.base.Add(fsm.DurationOf(time.Since(c.began))))
}

// instant is now with the monotonic time since takeover.
func (c *clock) instant() refresh.Instant {
	return refresh.Instant{Time: c.now(), Mono: time.Since(c.began)}
}
