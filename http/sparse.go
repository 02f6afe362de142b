package httpd

import (
	"sync"
	"time"
)

// sparse lets one of many like lines into the log a second, with the number of those that were left out.
type sparse struct {
	mu     sync.Mutex
	told   time.Time
	untold int
}

func (s *sparse) tell(at time.Time) (untold int, now bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at.Sub(s.told) < time.Second {
		s.untold++
		return 0, false
	}
	untold, s.told, s.untold = s.untold, at, 0
	return untold, true
}
