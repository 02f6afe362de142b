// Package gossiptest is a network in memory for gossip: transports that can be
// cut off from one another, lose packets and refuse connections when closed.
// It uses channels, pipes and timers only, so that a whole group runs in one
// testing/synctest bubble; make the Network inside it.
package gossiptest

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/memberlist"
)

const packetQueue = 1024 // a full queue loses packets, as a socket does

// Network connects transports by their ip:port. All methods may be called at
// any time from anywhere.
type Network struct {
	mu    sync.Mutex
	at    map[string]*Transport
	cut   map[[2]string]bool
	lose  func(from, to string) bool
	lines map[*line]struct{}
}

// line is one open stream between two addresses.
type line struct {
	ends [2]string
	near net.Conn
	far  net.Conn
}

// NewNetwork returns a network without faults.
func NewNetwork() *Network {
	return &Network{at: map[string]*Transport{}, cut: map[[2]string]bool{}, lines: map[*line]struct{}{}}
}

// Listen returns the transport at addr (ip:port), which must be free. A closed
// transport's address is free again.
func (n *Network) Listen(addr string) (*Transport, error) {
	a, err := netip.ParseAddrPort(addr)
	if err != nil {
		return nil, fmt.Errorf("gossiptest: %w", err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.at[addr] != nil {
		return nil, fmt.Errorf("gossiptest: listen %s: %w", addr, syscall.EADDRINUSE)
	}
	t := &Transport{
		net: n, addr: a,
		packets: make(chan *memberlist.Packet, packetQueue), streams: make(chan net.Conn), closed: make(chan struct{}),
	}
	n.at[addr] = t
	return t, nil
}

// Cut stops packets and streams from one address to another, and breaks the
// streams open between them. The other direction goes on.
func (n *Network) Cut(from, to string) {
	n.mu.Lock()
	n.cut[[2]string{from, to}] = true
	n.mu.Unlock()
	n.breakLines(func(l *line) bool {
		return l.ends == [2]string{from, to} || l.ends == [2]string{to, from}
	})
}

// Split cuts every address of a from every address of b, both ways.
func (n *Network) Split(a, b []string) {
	for _, x := range a {
		for _, y := range b {
			n.Cut(x, y)
			n.Cut(y, x)
		}
	}
}

// Mend undoes Cut.
func (n *Network) Mend(from, to string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.cut, [2]string{from, to})
}

// Heal undoes every cut.
func (n *Network) Heal() {
	n.mu.Lock()
	defer n.mu.Unlock()
	clear(n.cut)
}

// Lose asks f of each packet whether to drop it; nil drops none. f must be
// quick and must not call the Network.
func (n *Network) Lose(f func(from, to string) bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lose = f
}

// route finds the transport at to; nil with ok means that the packet is lost on
// the way and nobody says so.
func (n *Network) route(from, to string, packet bool) (t *Transport, ok bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cut[[2]string{from, to}] || (packet && n.lose != nil && n.lose(from, to)) {
		return nil, true
	}
	t = n.at[to]
	return t, t != nil
}

func (n *Network) breakLines(hit func(*line) bool) {
	n.mu.Lock()
	var broken []*line
	for l := range n.lines {
		if hit(l) {
			broken = append(broken, l)
			delete(n.lines, l)
		}
	}
	n.mu.Unlock()
	for _, l := range broken {
		_ = l.near.Close()
		_ = l.far.Close()
	}
}

// Transport is one end of the Network: a memberlist.Transport.
type Transport struct {
	net     *Network
	addr    netip.AddrPort
	packets chan *memberlist.Packet
	streams chan net.Conn
	once    sync.Once
	closed  chan struct{}
}

var _ memberlist.Transport = (*Transport)(nil)

// Addr is the ip:port it was made with.
func (t *Transport) Addr() string { return t.addr.String() }

// FinalAdvertiseAddr is always the transport's own address.
func (t *Transport) FinalAdvertiseAddr(string, int) (net.IP, int, error) {
	return t.addr.Addr().AsSlice(), int(t.addr.Port()), nil
}

// WriteTo copies b to whoever is at addr. A packet to nobody is lost silently,
// as one to another host is.
func (t *Transport) WriteTo(b []byte, addr string) (time.Time, error) {
	if t.isClosed() {
		return time.Time{}, net.ErrClosed
	}
	now := time.Now()
	if to, _ := t.net.route(t.Addr(), addr, true); to != nil {
		p := &memberlist.Packet{Buf: append([]byte(nil), b...), From: net.UDPAddrFromAddrPort(t.addr), Timestamp: now}
		select {
		case to.packets <- p:
		default:
		}
	}
	return now, nil
}

// PacketCh gives what WriteTo of others delivered.
func (t *Transport) PacketCh() <-chan *memberlist.Packet { return t.packets }

// StreamCh gives the far ends of what others dialed.
func (t *Transport) StreamCh() <-chan net.Conn { return t.streams }

// DialTimeout connects to addr. Where nobody listens it is refused at once,
// over a cut it takes the whole timeout.
func (t *Transport) DialTimeout(addr string, timeout time.Duration) (net.Conn, error) {
	expired := time.NewTimer(timeout)
	defer expired.Stop()
	to, ok := t.net.route(t.Addr(), addr, false)
	if !ok {
		return nil, refused(addr, syscall.ECONNREFUSED)
	}
	if to == nil {
		select {
		case <-expired.C:
			return nil, refused(addr, os.ErrDeadlineExceeded)
		case <-t.closed:
			return nil, refused(addr, net.ErrClosed)
		}
	}
	near, far := net.Pipe()
	l := &line{ends: [2]string{t.Addr(), addr}, near: near, far: far}
	t.net.mu.Lock()
	t.net.lines[l] = struct{}{}
	t.net.mu.Unlock()
	var err error
	select {
	case to.streams <- t.net.end(l, far, t.addr):
		if !t.isClosed() && !to.isClosed() {
			return t.net.end(l, near, to.addr), nil
		}
		err = net.ErrClosed
	case <-to.closed:
		err = syscall.ECONNREFUSED
	case <-t.closed:
		err = net.ErrClosed
	case <-expired.C:
		err = os.ErrDeadlineExceeded
	}
	t.net.breakLines(func(x *line) bool { return x == l })
	return nil, refused(addr, err)
}

// Shutdown frees the address and breaks every stream to and from it.
func (t *Transport) Shutdown() error {
	t.once.Do(func() {
		close(t.closed)
		t.net.mu.Lock()
		delete(t.net.at, t.Addr())
		t.net.mu.Unlock()
		t.net.breakLines(func(l *line) bool { return l.ends[0] == t.Addr() || l.ends[1] == t.Addr() })
	})
	return nil
}

func (t *Transport) isClosed() bool {
	select {
	case <-t.closed:
		return true
	default:
		return false
	}
}

func refused(addr string, err error) error {
	return &net.OpError{Op: "dial", Net: "tcp", Err: errors.Join(fmt.Errorf("gossiptest: %s", addr), err)}
}

// end is one end of a line, told apart in logs by the other's address.
type end struct {
	net.Conn
	remote net.Addr
	closed func()
}

func (n *Network) end(l *line, c net.Conn, remote netip.AddrPort) net.Conn {
	return &end{Conn: c, remote: net.TCPAddrFromAddrPort(remote), closed: func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		delete(n.lines, l)
	}}
}

func (e *end) RemoteAddr() net.Addr { return e.remote }

func (e *end) Close() error {
	e.closed()
	return e.Conn.Close()
}
