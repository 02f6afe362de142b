package refresh

import (
	"slices"

	"github.com/musterhq/muster/fsm"
)

// pause says whether all scheduling is paused. Then nothing is granted, and nothing is looked at sooner than by the rhythm of
// the beats. What has waited when it is over is taken up as by a term that begins.
func (s *Scheduler) pause(r *fsm.Reader, now Instant) bool {
	was := s.paused
	if s.paused = r.Settings().Pause.Holds(now.Time); s.paused {
		s.short, s.freed = false, false
		s.nextLook(now)
		return true
	}
	if was {
		for _, e := range slices.Clone(s.due) {
			e.dueAt = now.Mono + e.delay(moment{now, true}).Std()
			s.due.move(e, e.dueAt)
		}
	}
	return false
}
