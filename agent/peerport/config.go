package peerport

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Config says what a Port is made of. Zero limits and timeouts take the
// defaults named beside them.
type Config struct {
	// ID is the peer's own id: 1 to 64 letters, digits, '-', '_' or '.'; a ULID
	// in a real group.
	ID string
	// Group returns the group's id (at most 64 bytes) as far as it is known, ""
	// before the first log entry. Called from many goroutines, for every
	// connection and request: it must not block.
	Group func() string
	// Listener is the peer port. Run closes it.
	Listener net.Listener
	// Dial connects to an address; default is a plain net.Dialer.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Resolve returns the address at which a peer is to be reached now. Called
	// from many goroutines; it must not block.
	Resolve func(peerID string) (addr string, ok bool)
	// TLS makes the port speak TLS and nothing else; nil is plain TCP.
	TLS TLS
	// Member reports whether a peer belongs to the group, as far as this one
	// knows, by its id; others are refused all but the Open paths. Called for
	// every connection and request: it must not block. nil takes everybody for one.
	Member func(id string) bool
	// Open are the paths of peer-HTTP for those that are no members.
	Open []string
	// Handler serves peer-HTTP. It sees only requests meant for this peer, with
	// a Caller in their context. It limits the bodies it reads, and leaves status
	// 421 to the port, as the client takes it for a refusal.
	Handler http.Handler
	// Outgoing may add headers to a request before it is sent; nil adds none.
	Outgoing func(ctx context.Context, h http.Header)
	// Log and Registerer may be nil: then nothing is logged or exposed.
	Log        *slog.Logger
	Registerer prometheus.Registerer

	// MaxConns bounds the accepted connections open at once (1,024).
	MaxConns int
	// MaxConnsPerIP bounds those from one remote IP (100).
	MaxConnsPerIP int
	// MaxHandshakes bounds those that have not shown yet who they are and what
	// they carry (256).
	MaxHandshakes int
	// MaxHandshakesPerIP bounds those of them from one remote IP (64), so that no single stranger keeps everybody else out.
	MaxHandshakesPerIP int
	// ConnsPerPeer bounds peer-HTTP connections to one peer (32); further
	// requests wait for one within their own deadline.
	ConnsPerPeer int
	// MaxResponse bounds the body Client.Do returns, in bytes (8 MiB).
	MaxResponse int64

	// HandshakeTimeout bounds TLS, classification and raft's first frames, and then the
	// wait for the acceptor, for an accepted connection; also an HTTP request's head (5s).
	HandshakeTimeout time.Duration
	// DialTimeout bounds resolving, connecting and the first frames where the
	// caller set nothing shorter (5s).
	DialTimeout time.Duration
	// IdleTimeout is how long an accepted connection may rest: a raft stream
	// without a byte, an HTTP connection without a request (60s). It must be
	// well over ten heartbeats, and alike on all peers.
	IdleTimeout time.Duration
	// BodyTimeout bounds the arrival of a request's body (30s).
	BodyTimeout time.Duration
	// RequestTimeout bounds a Client.Do whose context has no deadline (30s).
	RequestTimeout time.Duration
	// ShutdownTimeout is how long requests may go on once Run is told to stop (2s).
	ShutdownTimeout time.Duration
}

func (c *Config) setDefaults() {
	if c.Dial == nil {
		c.Dial = (&net.Dialer{}).DialContext
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	for limit, standard := range map[*int]int{
		&c.MaxConns: 1024, &c.MaxConnsPerIP: 100, &c.MaxHandshakes: 256,
		&c.MaxHandshakesPerIP: 64, &c.ConnsPerPeer: 32,
	} {
		if *limit == 0 {
			*limit = standard
		}
	}
	if c.MaxResponse == 0 {
		c.MaxResponse = 8 << 20
	}
	for timeout, standard := range map[*time.Duration]time.Duration{
		&c.HandshakeTimeout: 5 * time.Second,
		&c.DialTimeout:      5 * time.Second,
		&c.IdleTimeout:      time.Minute,
		&c.BodyTimeout:      30 * time.Second,
		&c.RequestTimeout:   30 * time.Second,
		&c.ShutdownTimeout:  2 * time.Second,
	} {
		if *timeout == 0 {
			*timeout = standard
		}
	}
}

func (c *Config) validate() error {
	switch {
	case !validID(c.ID):
		return fmt.Errorf("peer id %q: want 1 to %d letters, digits, '-', '_' or '.'", c.ID, maxIDLen)
	case c.Group == nil:
		return errors.New("group is missing")
	case c.Listener == nil:
		return errors.New("listener is missing")
	case c.Resolve == nil:
		return errors.New("resolve is missing")
	case c.Handler == nil:
		return errors.New("handler is missing")
	case min(c.MaxConns, c.MaxConnsPerIP, c.MaxHandshakes, c.MaxHandshakesPerIP, c.ConnsPerPeer) < 0 || c.MaxResponse < 0:
		return errors.New("a limit is negative")
	case min(c.HandshakeTimeout, c.DialTimeout, c.IdleTimeout, c.BodyTimeout, c.RequestTimeout,
		c.ShutdownTimeout) < 0:
		return errors.New("a timeout is negative")
	}
	return nil
}
