package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

// Line is the connections of one store's client: dialed under the peer's rules, each within connect_timeout, and together
// reading no more than a bounded number of bytes in one poll. It remembers how a connection ended, since few clients hand
// that on. Its methods are safe for concurrent use.
type Line struct {
	env   refresh.Env
	limit int

	mu    sync.Mutex
	open  map[*lineConn]struct{}
	cut   bool
	heard int   // bytes read in this poll
	ended error // how the first connection ended that was lost or overdone; sticky
}

func newLine(env refresh.Env, limit int) *Line {
	return &Line{env: env, limit: limit, open: map[*lineConn]struct{}{}}
}

// Dial connects; it fits the dialer of most clients.
func (l *Line) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	if l.env.ConnectTimeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, l.env.ConnectTimeout)
		defer cancel()
	}
	conn, err := l.env.Dial(ctx, network, address)
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err != nil:
		l.end(err)
		return nil, err
	case l.cut:
		_ = conn.Close()
		return nil, fmt.Errorf("dial: %w", net.ErrClosed)
	}
	c := &lineConn{Conn: conn, line: l}
	l.open[c] = struct{}{}
	return c, nil
}

// Connect connects to a target, and where TLS is on secures the connection: for stores that speak it from the first byte.
func (l *Line) Connect(ctx context.Context, t refresh.Target, secured *TLS, protocols ...string) (net.Conn, error) {
	config, err := secured.Config(l.env, t.Address)
	if err != nil {
		return nil, err
	}
	raw, err := l.Dial(ctx, "tcp", t.HostPort())
	if err != nil || config == nil {
		return raw, err
	}
	config.NextProtos = protocols
	conn, err := secure(ctx, raw, config)
	if err != nil {
		return nil, err
	}
	return conn, nil
}

// secure does the handshake, and closes raw when it fails.
func secure(ctx context.Context, raw net.Conn, config *tls.Config) (*tls.Conn, error) {
	conn := tls.Client(raw, config)
	err := conn.HandshakeContext(ctx)
	if err == nil {
		return conn, nil
	}
	_ = raw.Close()
	if refresh.FaultOf(err).Reason == fsm.ReasonReset {
		return nil, refresh.NewFault(fsm.ReasonTLS, "the connection was closed during the handshake, as by a server without TLS")
	}
	return nil, fmt.Errorf("handshake: %w", err)
}

// begin starts a poll.
func (l *Line) begin() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.heard = 0
}

// hangUp closes every connection, and those that come later.
func (l *Line) hangUp() {
	l.mu.Lock()
	open := l.open
	l.open, l.cut = map[*lineConn]struct{}{}, true
	l.mu.Unlock()
	for c := range open {
		_ = c.Conn.Close()
	}
}

// ending is how a connection ended, if one did.
func (l *Line) ending() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ended
}

// end notes how a connection ended; the caller holds mu. One that was closed from here, or only ran into a deadline, tells
// nothing.
func (l *Line) end(err error) {
	if l.ended == nil && !l.cut && !errors.Is(err, net.ErrClosed) && !errors.Is(err, os.ErrDeadlineExceeded) {
		l.ended = err
	}
}

type lineConn struct {
	net.Conn
	line *Line
}

func (c *lineConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	l := c.line
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.heard += n; l.heard > l.limit {
		n, err = 0, refresh.NewFault(fsm.ReasonTooLarge, "the answer is longer than %d bytes", l.limit)
	}
	if err != nil {
		l.end(err)
	}
	return n, err
}

func (c *lineConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if err != nil {
		c.line.mu.Lock()
		defer c.line.mu.Unlock()
		c.line.end(err)
	}
	return n, err
}

func (c *lineConn) Close() error {
	c.line.mu.Lock()
	delete(c.line.open, c)
	c.line.mu.Unlock()
	return c.Conn.Close()
}
