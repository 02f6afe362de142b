package httpd

import (
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/musterhq/muster/fsm"
)

// burst is how long a client may ask as often as it likes, as if it had been silent before: then it is held to its rate.
const burst = 2 * time.Second

// pace bounds how often each address may ask, whatever the connections it does so over. A client that asks less often than its rate is
// forgotten, so what is kept is bounded by the addresses that ask at the same time.
type pace struct {
	each time.Duration // between two requests of one client

	mu    sync.Mutex
	due   map[string]time.Time // when a client that kept its rate would have asked next
	sweep int                  // clients from which on those that are not late are forgotten
}

const leastSwept = 1024

func newPace(perSecond int) *pace {
	return &pace{each: time.Second / time.Duration(perSecond), due: map[string]time.Time{}, sweep: leastSwept}
}

// take counts a request, unless the client has asked too often.
func (p *pace) take(client string, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	due := p.due[client]
	if due.Before(now) {
		due = now
	}
	if due.Sub(now) >= burst {
		return false
	}
	if len(p.due) >= p.sweep {
		p.forget(now)
	}
	p.due[client] = due.Add(p.each)
	return true
}

// forget drops clients whose next request would count as their first one does.
func (p *pace) forget(now time.Time) {
	for client, due := range p.due {
		if !due.After(now) {
			delete(p.due, client)
		}
	}
	p.sweep = max(leastSwept, 2*len(p.due))
}

// paced refuses requests of clients that ask too often, before anything else is looked at. This machine's own are not held: whoever is
// on it has other ways to keep it busy, and a proxy there asks for many.
func (s *Server) paced(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if fromLoopback(r) || s.pace.take(clientIP(r), time.Now()) {
			next.ServeHTTP(w, r)
			return
		}
		s.metrics.refused.WithLabelValues("rate").Inc()
		s.serve(w, r, "none", func(http.ResponseWriter, *http.Request) error {
			return fsm.Errorf(CodeTooMany, "more than %d requests a second from one address; ask less often, or follow instead of asking again",
				s.MaxRate)
		})
	})
}

// clientIP is the address that requests are counted by.
func clientIP(r *http.Request) string {
	if ap, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		return ap.Addr().Unmap().WithZone("").String()
	}
	return r.RemoteAddr
}
