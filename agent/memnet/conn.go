package memnet

import (
	"net"
	"sync"
)

// listener accepts what is dialed to its address.
type listener struct {
	net    *Network
	addr   address
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

// Accept is net.Listener's.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close is net.Listener's; the address is free then.
func (l *listener) Close() error {
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

// Addr is net.Listener's.
func (l *listener) Addr() net.Addr { return l.addr }

// address is host:port.
type address string

// Network is net.Addr's.
func (address) Network() string { return "tcp" }

func (a address) String() string { return string(a) }

// conn is an end of a pipe that knows both addresses.
type conn struct {
	net.Conn
	net           *Network
	way           link
	local, remote address
}

// LocalAddr is net.Conn's.
func (c *conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr is net.Conn's.
func (c *conn) RemoteAddr() net.Addr { return c.remote }

// Close is net.Conn's.
func (c *conn) Close() error {
	c.net.mu.Lock()
	delete(c.net.open, c)
	c.net.mu.Unlock()
	return c.Conn.Close()
}
