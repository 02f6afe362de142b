package agent

import (
	"testing"

	"github.com/musterhq/muster/fsm"
)

// Trimming far takes several entries of bounded size, and ends at the event it was to end at.
func TestTrimmingInBites(t *testing.T) {
	inEmptyBubble(t, func(t *testing.T, w *world) { // at the end of inBubble the first event must still be there
		w.add("peer-a").start(func(c *Config) { c.BootstrapExpect = 1 })
		leader := w.leader()
		term := leader.term.Load()
		frame := fsm.Frame(&fsm.OperatorAct{Action: "note", Cause: fsm.Cause{Kind: fsm.CauseGroup}})
		for range 10 {
			var batch []byte
			for range 500 {
				batch = append(batch, frame...)
			}
			if _, err := term.propose(t.Context(), batch, 500, false); err != nil {
				t.Fatal(err)
			}
		}
		before := leader.machine.Entries()
		if err := term.trimTo(t.Context(), &fsm.EventsTrim{First: 4501}); err != nil {
			t.Fatal(err)
		}
		if first := leader.machine.Read().Meta().First; first != 4501 {
			t.Errorf("the first kept event is %d", first)
		}
		if n := leader.machine.Entries() - before; n < 3 {
			t.Errorf("%d entries", n)
		}
	})
}
