package httpd

import (
	"net/http"
	"time"
)

// Paced is the face behind the bound of requests from one address.
func (s *Server) Paced() http.Handler { return s.paced(s.handler) }

// Pace is what bounds them.
type Pace struct{ *pace }

// NewPace makes one.
func NewPace(perSecond int) Pace { return Pace{newPace(perSecond)} }

// Take counts a request now.
func (p Pace) Take(client string) bool { return p.take(client, time.Now()) }

// Clients is how many are remembered.
func (p Pace) Clients() int { return len(p.due) }
