package entries

import (
	"sync"
	"time"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

// Clock is a leader's logical time, with the clocks of this peer.
type Clock struct {
	wall  func() time.Time
	began time.Time // of the term, for its monotonic reading only

	mu   sync.Mutex
	term refresh.Clock
}

// NewClock begins a term's time: it goes on from the state's.
func NewClock(wall func() time.Time, state fsm.Time) *Clock {
	return &Clock{wall: wall, term: refresh.NewClock(state), began: time.Now()}
}

// Now never goes back nor stands still, and is not behind the wall clock.
func (c *Clock) Now() fsm.Time { return c.Instant().Time }

// Instant is now with the monotonic time since takeover.
func (c *Clock) Instant() refresh.Instant {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.term.Instant(fsm.TimeOf(c.wall()), time.Since(c.began))
}
