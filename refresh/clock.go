package refresh

import (
	"time"

	"github.com/musterhq/muster/fsm"
)

// Clock is the logical time of one leader's term: never behind the wall clock, never going back, and going on when the wall
// clock stands or jumps back. A jump forward is followed for good: the state keeps the largest time it was told, so what
// came after a jump back would stand still until the wall clock had caught up. It reads no clock itself.
type Clock struct {
	base fsm.Time      // the state's time at takeover, or the wall clock's when it was last ahead
	at   time.Duration // since the term began, when base was set
}

// NewClock is the clock of a term that begins with a state of that time.
func NewClock(state fsm.Time) Clock { return Clock{base: state} }

// Instant is now, with what the wall clock says and how long ago, by a monotonic clock, the term began.
func (c *Clock) Instant(wall fsm.Time, mono time.Duration) Instant {
	now := c.base.Add(fsm.DurationOf(mono - c.at))
	if wall > now {
		now, c.base, c.at = wall, wall, mono
	}
	return Instant{Time: now, Mono: mono}
}
