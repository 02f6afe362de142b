package poll

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

// Config is what a Client is made from. The zero value is valid.
type Config struct {
	// Dial replaces NewDialer(Rules).Dial, and then what it does is all the rules there are.
	Dial  func(ctx context.Context, network, address string) (net.Conn, error)
	Rules Rules

	ConnectTimeout time.Duration // where a request does not say; default 1 s
	Timeout        time.Duration // of a request whose context has no deadline; default 5 s
	MaxOpen        int           // connections, idle and in use; default 1,024; keep it well below the limit of open files
	IdleTimeout    time.Duration // how long one may rest and be used again; default 10 min, what node servers keep them

	Registerer prometheus.Registerer // nil registers no metrics
}

func (c *Config) normalise() error {
	if c.Dial == nil {
		c.Dial = NewDialer(c.Rules).Dial
	}
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = time.Second
	}
	if c.Timeout == 0 {
		c.Timeout = 5 * time.Second
	}
	if c.MaxOpen == 0 {
		c.MaxOpen = 1024
	}
	if c.IdleTimeout == 0 {
		c.IdleTimeout = 10 * time.Minute
	}
	if c.ConnectTimeout < 0 || c.Timeout < 0 || c.MaxOpen < 0 || c.IdleTimeout < 0 {
		return errors.New("poll: a limit is negative")
	}
	return nil
}

// Client does plain GETs. It is safe for concurrent use, starts no goroutine that outlives a request, and is itself a
// refresh.Fetcher.
type Client struct {
	config  Config
	idle    idle
	metrics *metrics
}

// New makes a Client.
func New(config Config) (*Client, error) {
	if err := config.normalise(); err != nil {
		return nil, err
	}
	c := &Client{config: config}
	c.idle.init(config.MaxOpen, config.IdleTimeout)
	c.metrics = newMetrics(&c.idle)
	if config.Registerer != nil {
		if err := config.Registerer.Register(c.metrics); err != nil {
			return nil, fmt.Errorf("register metrics of poll: %w", err)
		}
	}
	return c, nil
}

// Close closes the idle connections and lets no more be kept. Requests under way are left to end; later ones fail.
func (c *Client) Close() {
	c.idle.close()
	if c.config.Registerer != nil {
		c.config.Registerer.Unregister(c.metrics)
	}
}

// Open is how many connections there are, kept ones and those in use.
func (c *Client) Open() int { return c.idle.all() }

// Dial connects under the client's rules, for protocols other than HTTP. The connection counts among those in use until it
// is closed. Its caller bounds the time.
func (c *Client) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	raw, err := c.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &held{Conn: raw, leave: sync.OnceFunc(c.idle.leave)}, nil
}

// dial makes room and connects. Where files are short all the same, others have taken them: idle connections make way.
func (c *Client) dial(ctx context.Context, network, address string) (net.Conn, error) {
	c.idle.enter()
	raw, err := c.config.Dial(ctx, network, address)
	if err != nil && refresh.FaultOf(err).Reason == refresh.ReasonShortage && c.idle.yield() {
		raw, err = c.config.Dial(ctx, network, address)
	}
	if err != nil {
		if refresh.FaultOf(err).Reason == fsm.ReasonForbidden {
			c.metrics.denied.Inc()
		}
		c.idle.leave()
		return nil, err
	}
	return raw, nil
}

// Fetch sends one GET and reads the answer. A status that the request does not take for an answer is an error: redirect for
// those that point elsewhere, http_status with the code in its detail for all others.
func (c *Client) Fetch(ctx context.Context, r refresh.Request) (refresh.Response, error) {
	if err := checkRequest(&r); err != nil {
		return refresh.Response{}, err
	}
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.config.Timeout)
		defer cancel()
	}
	if err := ctx.Err(); err != nil {
		return refresh.Response{}, fmt.Errorf("get %s: %w", r.Path, err)
	}
	response, err := c.fetch(ctx, &r)
	if err != nil && ctx.Err() != nil {
		// Whatever the connection said when it was cut: it was cut because the time was up.
		return refresh.Response{}, fmt.Errorf("get %s: %w", r.Path, ctx.Err())
	}
	return response, err
}

func (c *Client) fetch(ctx context.Context, r *refresh.Request) (refresh.Response, error) {
	if cn := c.idle.take(r.Address); cn != nil {
		response, heard, err := c.exchange(ctx, cn, r)
		if err == nil || heard || ctx.Err() != nil || refresh.FaultOf(err).Reason != fsm.ReasonReset {
			return response, err
		}
		c.metrics.retried.Inc()
	}
	cn, err := c.connect(ctx, r)
	if err != nil {
		return refresh.Response{}, err
	}
	response, _, err := c.exchange(ctx, cn, r)
	return response, err
}

func (c *Client) connect(ctx context.Context, r *refresh.Request) (*conn, error) {
	if c.idle.isClosed() {
		return nil, fmt.Errorf("dial: %w", net.ErrClosed)
	}
	timeout := r.ConnectTimeout
	if timeout <= 0 {
		timeout = c.config.ConnectTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	c.metrics.dialed.Inc()
	raw, err := c.dial(ctx, "tcp", r.Address)
	if err != nil {
		return nil, err
	}
	return newConn(raw, r.Address), nil
}

// checkRequest refuses what would not be one request on the wire.
func checkRequest(r *refresh.Request) error {
	if len(r.Path) == 0 || r.Path[0] != '/' || !visible(r.Path, false) {
		return refresh.NewFault(fsm.ReasonProtocol, "%q is not a path", r.Path)
	}
	if !visible(r.IfNoneMatch, true) {
		return refresh.NewFault(fsm.ReasonProtocol, "%q is not an entity tag", r.IfNoneMatch)
	}
	if r.MaxBody <= 0 {
		r.MaxBody = refresh.MaxDocument
	}
	return checkAddress(r.Address)
}

// visible says whether s holds nothing but visible ASCII, and spaces where those are allowed.
func visible(s string, spaces bool) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == ' ' && !spaces {
			return false
		}
	}
	return true
}
