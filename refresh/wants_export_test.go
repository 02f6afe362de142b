package refresh

import "github.com/musterhq/muster/fsm"

// Wants is what the scheduler has of how a subject is to be done, whenever it was read.
func (s *Scheduler) Wants(subject fsm.Subject) any {
	w := s.entries[subject].wants
	w.read = 0
	return w
}
