package agent

import (
	"context"
	"net"
	"sync"
	"syscall"
	"time"
)

// network is TCP in memory, fit for a synctest bubble: listeners by address, and links between hosts that can be cut.
type network struct {
	mu        sync.Mutex
	listeners map[string]*pipeListener
	cut       map[[2]string]bool // from host, to host
	open      map[net.Conn][2]string
}

func newNetwork() *network {
	return &network{
		listeners: map[string]*pipeListener{}, cut: map[[2]string]bool{}, open: map[net.Conn][2]string{},
	}
}

// errRefused is what a dialer gets where nobody listens.
var errRefused = &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}

// pipeListener accepts what is dialed to its address.
type pipeListener struct {
	net    *network
	addr   pipeAddr
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

type pipeAddr string

func (pipeAddr) Network() string  { return "tcp" }
func (a pipeAddr) String() string { return string(a) }

// pipeConn is an end of a pipe that knows both addresses.
type pipeConn struct {
	net.Conn
	local, remote pipeAddr
}

func (c pipeConn) LocalAddr() net.Addr  { return c.local }
func (c pipeConn) RemoteAddr() net.Addr { return c.remote }

func (n *network) listen(addr string) net.Listener {
	l := &pipeListener{net: n, addr: pipeAddr(addr), conns: make(chan net.Conn), closed: make(chan struct{})}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.listeners[addr] = l
	return l
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

// route finds the listener at an address, nil when there is none. Over a cut link it tries again each second, as TCP does.
func (n *network) route(ctx context.Context, host, addr, to string) (*pipeListener, error) {
	for {
		n.mu.Lock()
		l, cut := n.listeners[addr], n.cut[[2]string{host, to}]
		n.mu.Unlock()
		if !cut {
			return l, nil
		}
		if !pause(ctx, time.Second) {
			return nil, ctx.Err()
		}
	}
}

// dialFrom is the dialer of one host.
func (n *network) dialFrom(host string) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, _, addr string) (net.Conn, error) {
		to, _, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, err
		}
		l, err := n.route(ctx, host, addr, to)
		if err != nil {
			return nil, err
		}
		if l == nil {
			return nil, errRefused
		}
		near, far := net.Pipe()
		from := pipeAddr(net.JoinHostPort(host, "1"))
		select {
		case l.conns <- pipeConn{far, l.addr, from}:
			n.mu.Lock()
			defer n.mu.Unlock()
			if n.cut[[2]string{host, to}] {
				_ = near.Close()
				return nil, errRefused
			}
			n.open[near] = [2]string{host, to}
			return pipeConn{near, from, l.addr}, nil
		case <-l.closed:
			return nil, errRefused
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// isolate cuts a host from others, both ways, and breaks what is open.
func (n *network) isolate(host string, others ...string) {
	for _, o := range others {
		n.block(host, o)
		n.block(o, host)
	}
}

// block cuts what one host dials to another, and breaks what it has open.
func (n *network) block(from, to string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cut[[2]string{from, to}] = true
	for c, ends := range n.open {
		if n.cut[ends] {
			_ = c.Close()
			delete(n.open, c)
		}
	}
}

// heal undoes every cut.
func (n *network) heal() {
	n.mu.Lock()
	defer n.mu.Unlock()
	clear(n.cut)
}
