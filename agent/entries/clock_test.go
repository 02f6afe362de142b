package entries_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/musterhq/muster/agent/entries"
	"github.com/musterhq/muster/fsm"
)

const day = 24 * time.Hour

// wallClock is a wall clock that can be set.
type wallClock struct {
	mu sync.Mutex
	by time.Duration
}

func (w *wallClock) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Add(w.by)
}

func (w *wallClock) jump(by time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.by += by
}

// TestClockNeitherGoesBackNorStands jumps a wall clock about: logical time follows it forward, and for each second that
// passes goes on by a second at least.
func TestClockNeitherGoesBackNorStands(t *testing.T) {
	synctest.Test(t, func(*testing.T) {
		wall := &wallClock{}
		c := entries.NewClock(wall.now, fsm.TimeOf(time.Now()))
		last := c.Now()
		for _, jump := range []time.Duration{0, time.Hour, -time.Hour, -day, 2 * day, -3 * day, 0, 5 * day, 0} {
			wall.jump(jump)
			at := c.Now()
			if at < last {
				t.Errorf("after a jump of %s time went back from %s to %s", jump, last, at)
			}
			if at < fsm.TimeOf(wall.now()) {
				t.Errorf("after a jump of %s time is behind the wall clock", jump)
			}
			<-time.After(time.Second)
			if last = c.Now(); last.Sub(at) < fsm.Second {
				t.Errorf("after a jump of %s a second took %s", jump, last.Sub(at))
			}
		}
	})
}

// TestClockTakesUpTheState begins a term with a wall clock behind the state: time goes on from the state's.
func TestClockTakesUpTheState(t *testing.T) {
	synctest.Test(t, func(*testing.T) {
		state := fsm.TimeOf(time.Now().Add(day))
		c := entries.NewClock(time.Now, state)
		<-time.After(time.Minute)
		if got := c.Now(); got != state.Add(fsm.Minute) {
			t.Errorf("a minute after %s it is %s", state, got)
		}
		if got := c.Instant(); got.Mono != time.Minute {
			t.Errorf("a minute into the term the monotonic time is %s", got.Mono)
		}
	})
}

// TestClockStaysMonotonic reads a clock from many goroutines while the wall clock jumps: what each of them sees never goes
// back, and waiting time is not touched.
func TestClockStaysMonotonic(t *testing.T) {
	synctest.Test(t, func(*testing.T) {
		wall := &wallClock{}
		c := entries.NewClock(wall.now, 0)
		var readers sync.WaitGroup
		for range 4 {
			readers.Go(func() {
				last := c.Now()
				for range 200 {
					<-time.After(10 * time.Millisecond)
					if at := c.Now(); at < last {
						t.Errorf("time went back from %s to %s", last, at)
					} else {
						last = at
					}
				}
			})
		}
		for i := range 200 {
			<-time.After(10 * time.Millisecond)
			wall.jump([]time.Duration{time.Hour, -time.Hour}[i%2])
		}
		readers.Wait()
		if mono := c.Instant().Mono; mono != 2*time.Second {
			t.Errorf("2s of waiting read as %s", mono)
		}
	})
}
