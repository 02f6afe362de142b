package peerport

import (
	"net"
	"sync"
	"time"
)

// peerAddr is a peer id in the place of a network address.
type peerAddr string

func (peerAddr) Network() string  { return "peer" }
func (a peerAddr) String() string { return string(a) }

// handoff is a net.Listener fed with connections that were accepted and
// classified elsewhere. It holds none: each goes from hand to hand or is not taken.
type handoff struct {
	addr   peerAddr
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newHandoff(id string) *handoff {
	return &handoff{addr: peerAddr(id), conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (h *handoff) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.closed:
		return nil, net.ErrClosed
	}
}

func (h *handoff) Close() error {
	h.once.Do(func() { close(h.closed) })
	return nil
}

func (h *handoff) Addr() net.Addr { return h.addr }

// offer reports whether c was accepted within patience.
func (h *handoff) offer(c net.Conn, patience time.Duration) bool {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case h.conns <- c:
		return true
	case <-h.closed:
	case <-timer.C:
	}
	return false
}

func (h *handoff) isClosed() bool {
	select {
	case <-h.closed:
		return true
	default:
		return false
	}
}
