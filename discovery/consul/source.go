package consul

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/musterhq/muster/discovery"
)

// source is one Consul asked as one caller.
type source struct {
	connection connection
	env        discovery.Env
	log        *slog.Logger
	hub        *hub

	mu       sync.Mutex
	clients  *clients // nil until first needed
	token    string
	narrowed int // how many times the reads in flight are halved, since Consul asked for less
}

func newSource(c connection, env discovery.Env) *source {
	s := &source{connection: c, env: env, log: env.Logger()}
	s.hub = newHub(s)
	return s
}

// connect is the clients, made when they are first needed: a setting is judged on peers that need not be able to.
func (s *source) connect() (*clients, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.clients != nil {
		return s.clients, nil
	}
	c, err := dial(s.connection, s.env)
	if err != nil {
		return nil, err
	}
	if s.token, err = c.token(); err != nil {
		return nil, err
	}
	s.clients = c
	return c, nil
}

func (s *source) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.clients == nil {
		return
	}
	for _, f := range s.clients.close {
		f()
	}
	s.clients = nil
}

func (s *source) currentToken() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.token
}

// renewToken reads the token again after it was refused, and says whether another one is to be tried.
func (s *source) renewToken(c *clients, refused string) (bool, error) {
	token, err := c.token()
	if err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.token = token
	return token != refused, nil
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

// question is one call of consul/api.
type question[T any] func(*api.Client, *api.QueryOptions) (T, *api.QueryMeta, error)

// call is how a question is put. Blocking ones (Index over 0 or not) use the clients kept for them.
type call struct {
	timeout time.Duration
	stale   bool
	watch   bool
	index   uint64
	wait    time.Duration
}

// ask puts a question within its time and judges the answer: what it returns without an error is whole. A refused token
// is read again and, if it changed, the question put once more.
func ask[T any](ctx context.Context, s *source, how call, put question[T]) (T, *api.QueryMeta, error) {
	var none T
	c, err := s.connect()
	if err != nil {
		return none, nil, err
	}
	client := c.reads
	if how.watch {
		client = c.watches
	}
	for again := false; ; again = true {
		token := s.currentToken()
		answer, meta, err := once(ctx, client, token, how, put)
		if refused(err) && !again {
			if other, renewErr := s.renewToken(c, token); renewErr != nil {
				return none, nil, renewErr
			} else if other {
				continue
			}
		}
		if err != nil {
			return none, nil, explain(err)
		}
		return answer, meta, nil
	}
}

func once[T any](ctx context.Context, client *api.Client, token string, how call, put question[T]) (T, *api.QueryMeta, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, how.timeout, fmt.Errorf("no answer within %s", how.timeout))
	defer cancel()
	options := (&api.QueryOptions{
		Token: token, AllowStale: how.stale, WaitIndex: how.index, WaitTime: how.wait,
	}).WithContext(ctx)
	answer, meta, err := put(client, options)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return answer, meta, cause
	}
	if err == nil {
		err = guard(meta)
	}
	return answer, meta, err
}

func refused(err error) bool {
	var status api.StatusError
	return errors.As(err, &status) && status.Code == http.StatusForbidden
}
