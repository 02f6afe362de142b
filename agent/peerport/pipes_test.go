package peerport_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
)

// pipes is a network in memory, fit for a synctest bubble.
type pipes struct {
	mu        sync.Mutex
	listeners map[string]*pipeListener
	next      int
}

type pipeListener struct {
	net    *pipes
	addr   pipeAddr
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

type pipeAddr string

func (pipeAddr) Network() string  { return "pipe" }
func (a pipeAddr) String() string { return string(a) }

// pipeConn is an end of a pipe that knows whom it faces.
type pipeConn struct {
	net.Conn
	remote pipeAddr
}

func (c pipeConn) RemoteAddr() net.Addr { return c.remote }

func newPipes() *pipes { return &pipes{listeners: map[string]*pipeListener{}} }

// piped is a world of pipes, whose peers have addresses 10.0.0.1:8651 and on.
func piped() (*world, *pipes) {
	n := newPipes()
	return &world{
		addrs: map[string]string{}, dial: n.dialFrom("10.1.0.1:1"),
		listen: func(*testing.T) net.Listener {
			n.mu.Lock()
			n.next++
			addr := fmt.Sprintf("10.0.0.%d:8651", n.next)
			n.mu.Unlock()
			return n.listen(addr)
		},
	}, n
}

func (n *pipes) listen(addr string) net.Listener {
	l := &pipeListener{net: n, addr: pipeAddr(addr), conns: make(chan net.Conn), closed: make(chan struct{})}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.listeners[addr] = l
	return l
}

func (n *pipes) dialFrom(from string) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, _, addr string) (net.Conn, error) {
		n.mu.Lock()
		l := n.listeners[addr]
		n.mu.Unlock()
		if l == nil {
			return nil, errors.New("connection refused")
		}
		near, far := net.Pipe()
		select {
		case l.conns <- pipeConn{far, pipeAddr(from)}:
			return pipeConn{near, l.addr}, nil
		case <-l.closed:
			return nil, errors.New("connection refused")
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() {
		close(l.closed)
		l.net.mu.Lock()
		defer l.net.mu.Unlock()
		if l.net.listeners[string(l.addr)] == l {
			delete(l.net.listeners, string(l.addr))
		}
	})
	return nil
}

func (l *pipeListener) Addr() net.Addr { return l.addr }
