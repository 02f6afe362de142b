package discovery_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/fsm"
)

// What a nudged run could not read is asked for again, after a pause, and not left to the next full run.
func TestFailedNudgeIsAskedAgain(t *testing.T) {
	atDesk(t, nil, func(t *testing.T, d *desk) {
		d.source.mu.Lock()
		d.source.err = errors.New("no leader")
		d.source.mu.Unlock()
		d.source.nudge([]string{"c000"})
		if grants := grantsOf(d.commands(100 * time.Millisecond)); len(grants) != 1 {
			t.Fatalf("%d claims asked for", len(grants))
		}
		d.source.mu.Lock()
		d.source.err = nil
		d.source.mu.Unlock()
		grants := grantsOf(d.commands(5 * time.Second))
		if len(grants) != 1 || grants[0].Reason != fsm.WhyNudge || !cmp.Equal(grants[0].Names, []string{"c000"}) {
			t.Errorf("asked again for %+v", grants)
		}
	})
}
