package consul

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/musterhq/muster/discovery"
)

// Caller asks one Consul as one caller. It connects when it is first needed, reads its token again when that is refused, and
// takes no answer that may be less than everything. It is safe for concurrent use.
type Caller struct {
	connection Connection
	env        discovery.Env
	rights     string // that it needs, as rules of a policy: errors tell to give them

	mu      sync.Mutex
	clients *clients // nil until first needed
	token   string
	renewed uint64 // times that token was replaced
}

// NewCaller makes a caller, which touches neither disk nor network yet. Rights are the rules of a policy that its token needs.
func NewCaller(c Connection, env discovery.Env, rights string) *Caller {
	return &Caller{connection: c, env: env, rights: rights}
}

// connect is the clients, made when they are first needed: a setting is judged on peers that need not be able to.
func (c *Caller) connect() (*clients, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.clients != nil {
		return c.clients, nil
	}
	made, err := dial(c.connection, c.env)
	if err != nil {
		return nil, err
	}
	if c.token, err = made.token(); err != nil {
		return nil, err
	}
	c.clients = made
	return made, nil
}

// Close ends the connections. The caller may be used again.
func (c *Caller) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.clients == nil {
		return
	}
	for _, f := range c.clients.close {
		f()
	}
	c.clients = nil
}

// Name is the address, for people.
func (c *Caller) Name() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.clients != nil {
		return c.clients.name
	}
	return first(c.connection.Address, "its default address")
}

func (c *Caller) currentToken() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.token
}

// renewToken reads the token again after it was refused, and says whether another one is to be tried.
func (c *Caller) renewToken(from *clients, refused string) (bool, error) {
	token, err := from.token()
	if err != nil {
		return false, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if token != c.token {
		c.token, c.renewed = token, c.renewed+1
	}
	return token != refused, nil
}

// Renewed is how many times another token has taken the place of a refused one.
func (c *Caller) Renewed() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.renewed
}

// question is one call of consul/api.
type question[T any] func(*api.Client, *api.QueryOptions) (T, *api.QueryMeta, error)

// call is how a question is put. Blocking ones (Index over 0 or not) use the clients kept for them.
type call struct {
	timeout time.Duration
	stale   bool
	watch   bool
	own     bool // it is about what the agent that is asked knows by itself: no leader vouches for it
	index   uint64
	wait    time.Duration
}

// Ask puts a question to the leader, once the token is known to be good. What it returns without an error is whole.
func Ask[T any](ctx context.Context, c *Caller, put func(*api.Client, *api.QueryOptions) (T, *api.QueryMeta, error)) (T, error) {
	var none T
	if err := c.checkToken(ctx); err != nil {
		return none, err
	}
	answer, _, err := ask(ctx, c, call{timeout: callTimeout}, put)
	return answer, err
}

// Tell has the agent that is asked do something, or say something of its own, with the token that the options hold. How it
// ends is told as by Ask, but no leader vouches for it.
func Tell[T any](ctx context.Context, c *Caller, put func(*api.Client, *api.QueryOptions) (T, error)) (T, error) {
	answer, _, err := ask(ctx, c, call{timeout: callTimeout, own: true},
		func(to *api.Client, o *api.QueryOptions) (T, *api.QueryMeta, error) {
			answer, err := put(to, o)
			return answer, nil, err
		})
	return answer, err
}

// ask puts a question within its time and judges the answer: what it returns without an error is whole. A refused token
// is read again and, if it changed, the question put once more.
func ask[T any](ctx context.Context, c *Caller, how call, put question[T]) (T, *api.QueryMeta, error) {
	var none T
	to, err := c.connect()
	if err != nil {
		return none, nil, err
	}
	client := to.reads
	if how.watch {
		client = to.watches
	}
	for again := false; ; again = true {
		token := c.currentToken()
		answer, meta, err := once(ctx, client, token, how, put)
		if err == nil && !how.own {
			err = c.guard(meta)
		}
		if refused(err) && !again {
			if other, renewErr := c.renewToken(to, token); renewErr != nil {
				return none, nil, renewErr
			} else if other {
				continue
			}
		}
		if err != nil {
			return none, nil, c.explain(err, token)
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
		err = cause
	}
	return answer, meta, err
}

func refused(err error) bool {
	var status api.StatusError
	return errors.As(err, &status) && status.Code == http.StatusForbidden
}
