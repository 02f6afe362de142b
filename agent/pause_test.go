package agent

import (
	"strings"
	"testing"
	"time"

	"github.com/musterhq/muster/fsm"
)

// TestPauseEndsByItself pauses a group at work, and changes who leads meanwhile: nothing is claimed while it lasts, it ends when it
// said, everybody is told, and work goes on. What failed meanwhile is told afterwards, and nothing is missing because of the pause.
func TestPauseEndsByItself(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		w.settled(6, 2, nil)
		w.leader().await("the level", atLevel(fsm.FeatureLevel))
		before, began := w.leader().seq(), time.Now()
		until := (replicaFace{w.leader().Agent}).Now().Add(2 * fsm.Minute)
		paused := w.leader().apply(&fsm.SchedulePause{Pause: fsm.Pause{Until: until, Reason: "moving racks"}, Cause: operator})
		for _, p := range w.peers {
			p.await("the pause", func(r *fsm.Reader) bool { return r.Settings().Pause != nil })
			if said := strings.Join((lifeFace{p.Agent}).Warnings(), "\n"); !strings.Contains(said, "moving racks") {
				t.Errorf("%s warns of %q", p.name, said)
			}
		}
		w.pass(30 * time.Second)
		led := w.leader()
		led.end()
		led.start(nil)
		p := w.leader()
		p.awaitFor(2*time.Minute, "its end", func(r *fsm.Reader) bool { return r.Settings().Pause == nil })
		if took := time.Since(began); took < 2*time.Minute || took > 2*time.Minute+2*time.Second {
			t.Errorf("it took %s", took)
		}
		for _, e := range p.logged(paused.Index) {
			for _, c := range e.commands {
				if _, grants := c.(*fsm.ClaimGrant); grants && e.time < until {
					t.Errorf("a claim is granted at %s", e.time)
				}
			}
		}
		p.tells(before, "schedule.*", fsm.SchedulePaused, fsm.ScheduleResumed)
		p.tells(before, "node.*")
		p.await("refreshes", observed(until))
	})
}
