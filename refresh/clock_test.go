package refresh_test

import (
	"testing"
	"time"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

// Logical time goes on as time does, is never behind the wall clock nor the state it began with, and never goes back.
func TestClockNeverGoesBack(t *testing.T) {
	c := refresh.NewClock(1000)
	for _, x := range []struct {
		wall, want fsm.Time
		mono       time.Duration
	}{
		{900, 1000, 0},                        // behind the state
		{910, 1010, 10 * time.Millisecond},    // still behind
		{5000, 5000, 20 * time.Millisecond},   // a jump forward is followed
		{30, 5010, 30 * time.Millisecond},     // a jump back is not
		{40, 5020, 40 * time.Millisecond},     // and does not stop it
		{5025, 5025, 41 * time.Millisecond},   // ahead again
		{5026, 6025, 1041 * time.Millisecond}, // a wall clock that stands
		{86_405_026, 86_405_026, 1042 * time.Millisecond},
	} {
		got := c.Instant(x.wall, x.mono)
		if got.Time != x.want || got.Mono != x.mono {
			t.Errorf("at %s, by a wall clock of %d, it is %d; want %d", x.mono, x.wall, got.Time, x.want)
		}
	}
}
