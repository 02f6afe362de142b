package agent

import (
	"testing"
	"time"

	"github.com/musterhq/muster/agent/entries"
	"github.com/musterhq/muster/fsm"
)

// TestLooksKeepApart lets nodes fail one after the other: they are asked again at their own time, but not with a beat for
// each.
func TestLooksKeepApart(t *testing.T) {
	const clusters = 90
	inBubble(t, 3, func(t *testing.T, w *world) {
		w.settled(clusters, 1, func(s *fsm.Spec) { s.Refresh.Interval, s.Refresh.Timeout = 7*fsm.Second, 3*fsm.Second })
		leader := w.leader()
		for i := range clusters {
			w.nodes.slow(2900*time.Millisecond, addrOf(i, 0))
		}
		w.pass(9 * time.Second)
		after := leader.index()
		for i := range clusters {
			w.nodes.kill(addrOf(i, 0))
			w.pass(5 * time.Millisecond)
		}
		w.pass(2 * time.Second)
		var first, last fsm.Time
		claims, hasty := 0, 0
		for _, e := range leader.logged(after) {
			n := confirmed(e)
			if claims += n; n == 0 {
				continue
			}
			if last == 0 {
				first = e.time
			} else if e.time.Sub(last).Std() < lookAgain {
				hasty++
			}
			last = e.time
		}
		if most := int(last.Sub(first).Std()/entries.Beat) + 1; hasty > most || claims < clusters/2 {
			t.Errorf("%d nodes are asked again, %d times sooner than %s after others; the rhythm itself may %d times",
				claims, hasty, lookAgain, most)
		}
	})
}

// confirmed is how many nodes an entry has asked again.
func confirmed(e entry) (n int) {
	for _, g := range commandsOf[*fsm.ClaimGrant]([]entry{e}) {
		if g.Reason == fsm.WhyConfirm {
			n += len(g.Names)
		}
	}
	return n
}

// TestWaitingConfirmationKeepsRhythm lets a failed node wait to be confirmed while no peer may ask it: the others'
// completions go into the log with the beats, as ever.
func TestWaitingConfirmationKeepsRhythm(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		w.settled(40, 1, nil)
		leader := w.leader()
		rate := func() int64 {
			before := leader.machine.Entries()
			w.pass(20 * time.Second)
			return leader.machine.Entries() - before
		}
		usual := rate()
		w.nodes.kill(addrOf(0, 0))
		c := leader.machine.Read().Cluster("c00")
		leader.await("a failure to confirm", func(r *fsm.Reader) bool {
			return r.Schedule(fsm.Subject{Kind: fsm.KindRefresh, ID: c.ID}).Confirm != 0
		})
		on := "zone=none"
		leader.apply(&fsm.ClusterChange{Cause: operator, Changes: []fsm.Change{{
			Cluster: c.ID, Base: leader.machine.Read().ClusterByID(c.ID).Index, Facts: []fsm.Fact{{
				Type: fsm.ClusterSettingsChanged, Before: &fsm.SettingsPart{},
				After: &fsm.SettingsPart{Refresh: &fsm.RefreshPatch{On: &on}},
			}},
		}}})
		w.pass(time.Second)
		if got := rate(); got > usual*13/10 {
			t.Errorf("%d entries in 20 s, usually %d", got, usual)
		}
	})
}
