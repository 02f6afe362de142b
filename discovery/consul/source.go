package consul

import (
	"errors"
	"log/slog"
	"net/http"
	"sync"

	"github.com/hashicorp/consul/api"

	"github.com/musterhq/muster/discovery"
)

// source is one Consul asked as one caller.
type source struct {
	caller *Caller
	log    *slog.Logger
	hub    *hub

	mu       sync.Mutex
	narrowed int // how many times the reads in flight are halved, since Consul asked for less
}

func newSource(c Connection, env discovery.Env) *source {
	s := &source{caller: NewCaller(c, env, rights), log: env.Logger()}
	s.hub = newHub(s)
	return s
}

// width is how many reads may be in flight of those a config allows.
func (s *source) width(concurrency int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return max(1, concurrency>>s.narrowed)
}

// adapt halves the reads in flight when a read ended in Consul asking for less, and doubles them again after a good one.
func (s *source) adapt(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err == nil:
		s.narrowed = max(0, s.narrowed-1)
	case overloaded(err):
		s.narrowed = min(6, s.narrowed+1)
	}
}

func overloaded(err error) bool {
	var status api.StatusError
	return errors.As(err, &status) &&
		(status.Code == http.StatusTooManyRequests || status.Code == http.StatusServiceUnavailable)
}
