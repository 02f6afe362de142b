package agent

import (
	"testing"
	"time"

	"github.com/musterhq/muster/agent/entries"
	"github.com/musterhq/muster/fsm"
)

// lateness is how many refreshes a peer granted as the leader, and how late all of them were together.
func (p *peer) lateness() (refreshes uint64, late time.Duration) {
	p.w.t.Helper()
	families, err := p.cfg.Gatherer.Gather()
	if err != nil {
		p.w.t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "muster_refresh_late_seconds" {
			h := f.GetMetric()[0].GetHistogram()
			return h.GetSampleCount(), time.Duration(h.GetSampleSum() * float64(time.Second))
		}
	}
	p.w.t.Fatal("there is no histogram of lateness")
	return 0, 0
}

// TestLatenessIsCounted lets a group refresh for some slots: the leader has counted each claim, all within a beat of
// their slots, and the others none.
func TestLatenessIsCounted(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		w.settled(10, 1, nil)
		leader := w.leader()
		before, _ := leader.lateness()
		w.pass(time.Minute)
		n, late := leader.lateness()
		if n < before+118 || n > before+122 || late > time.Duration(n)*entries.Beat {
			t.Errorf("%d refreshes of 120 in a minute, late by %s together", n-before, late)
		}
		if n, _ := w.others(leader)[0].lateness(); n > 0 {
			t.Errorf("%d refreshes granted by a follower", n)
		}
	})
}

// TestWaitingRoundsLeaveRoom lets one node of each of many clusters take its time: their claims stay open for as long, and
// hold no more of the room than the polls that wait. So no cluster is refreshed later than its slot.
func TestWaitingRoundsLeaveRoom(t *testing.T) {
	const clusters, size = 90, 10
	inBubble(t, 3, func(t *testing.T, w *world) {
		w.settled(clusters, size, func(s *fsm.Spec) { s.Refresh.Interval, s.Refresh.Timeout = 7*fsm.Second, 5*fsm.Second })
		leader := w.leader()
		settings := *leader.machine.Read().Settings()
		settings.Limits.InFlight = 100 // 51 claims of 10 polls are open at a time, 51 polls under way
		leader.apply(&fsm.SettingsSet{Settings: settings})
		for i := range clusters {
			w.nodes.slow(4*time.Second, addrOf(i, size-1))
		}
		w.pass(20 * time.Second)
		before, lateBefore := leader.lateness()
		w.pass(21 * time.Second)
		n, late := leader.lateness()
		if n, late = n-before, late-lateBefore; n < 3*clusters-20 || late > time.Duration(n)*entries.Beat {
			t.Errorf("%d refreshes of %d in three intervals, late by %s together", n, 3*clusters, late)
		}
	})
}
