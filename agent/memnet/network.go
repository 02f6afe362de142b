// Package memnet is TCP in memory for tests: listeners by address, dialers by host, and links between hosts that can be cut
// in one direction or both. It uses channels, pipes and timers only, so that a whole group runs in one testing/synctest
// bubble; make the Network inside it.
package memnet

import (
	"context"
	"net"
	"sync"
	"syscall"
	"time"
)

// retry is how often a dial over a cut link tries again, as TCP does.
const retry = time.Second

// Network connects hosts. Its methods may be called at any time from anywhere.
type Network struct {
	mu        sync.Mutex
	listeners map[string]*listener
	cut       map[link]bool
	open      map[*conn]struct{} // near ends
}

// link is the way from one host to another, in the direction in which it is dialed.
type link struct{ from, to string }

// New returns a network without faults.
func New() *Network {
	return &Network{listeners: map[string]*listener{}, cut: map[link]bool{}, open: map[*conn]struct{}{}}
}

// Listen takes an address, host:port, over from whoever listens there.
func (n *Network) Listen(addr string) net.Listener {
	l := &listener{net: n, addr: address(addr), conns: make(chan net.Conn), closed: make(chan struct{})}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.listeners[addr] = l
	return l
}

// DialFrom is the dialer of one host. Where nobody listens it is refused at once; over a cut link it waits until ctx ends or
// the link is mended.
func (n *Network) DialFrom(host string) func(ctx context.Context, network, addr string) (net.Conn, error) {
	return func(ctx context.Context, _, addr string) (net.Conn, error) {
		to, _, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, err
		}
		return n.dial(ctx, link{host, to}, addr)
	}
}

func (n *Network) dial(ctx context.Context, way link, addr string) (net.Conn, error) {
	l, err := n.route(ctx, way, addr)
	if err != nil {
		return nil, err
	}
	if l == nil {
		return nil, refused
	}
	a, b := net.Pipe()
	near := &conn{Conn: a, net: n, way: way, local: address(net.JoinHostPort(way.from, "1")), remote: l.addr}
	far := &conn{Conn: b, net: n, way: way, local: l.addr, remote: near.local}
	n.mu.Lock()
	n.open[near] = struct{}{}
	n.mu.Unlock()
	err = refused
	select {
	case l.conns <- far:
		if !n.isCut(way) {
			return near, nil
		}
	case <-l.closed:
	case <-ctx.Done():
		err = ctx.Err()
	}
	_ = near.Close()
	return nil, err
}

// route waits for the link and finds the listener at an address, nil when there is none.
func (n *Network) route(ctx context.Context, way link, addr string) (*listener, error) {
	for n.isCut(way) {
		again := time.NewTimer(retry)
		select {
		case <-ctx.Done():
			again.Stop()
			return nil, ctx.Err()
		case <-again.C:
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.listeners[addr], nil
}

func (n *Network) isCut(way link) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.cut[way]
}

// Cut stops what one host dials to another, and breaks what it has open. The other direction goes on.
func (n *Network) Cut(from, to string) {
	n.mu.Lock()
	n.cut[link{from, to}] = true
	n.mu.Unlock()
	n.Break(from, to)
}

// Mend undoes Cut.
func (n *Network) Mend(from, to string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.cut, link{from, to})
}

// Split cuts a host from others, both ways.
func (n *Network) Split(host string, others ...string) {
	for _, o := range others {
		n.Cut(host, o)
		n.Cut(o, host)
	}
}

// Heal undoes every cut.
func (n *Network) Heal() {
	n.mu.Lock()
	defer n.mu.Unlock()
	clear(n.cut)
}

// Break ends the connections that one host has open to another, in the middle of whatever they carry, and says how many.
func (n *Network) Break(from, to string) int {
	n.mu.Lock()
	var broken []*conn
	for c := range n.open {
		if c.way == (link{from, to}) {
			broken = append(broken, c)
		}
	}
	n.mu.Unlock()
	for _, c := range broken {
		_ = c.Close()
	}
	return len(broken)
}

// refused is what a dialer gets where nobody listens.
var refused = &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
