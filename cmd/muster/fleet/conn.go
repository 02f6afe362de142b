package fleet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"
)

const (
	firstRead = 256     // bytes; the request of a muster peer has 120 to 180
	maxHead   = 8 << 10 // bytes of a request
)

// openGate gives n a listener of its own. The caller holds the cluster's mu.
func (s *share) openGate(ctx context.Context, n *node) error {
	config := net.ListenConfig{KeepAlive: -1}
	config.SetMultipathTCP(false)
	l, err := config.Listen(ctx, "tcp4", net.JoinHostPort(n.address.String(), fmt.Sprint(n.port)))
	if err != nil {
		return fmt.Errorf("listen for node %s: %w", s.id(n), err)
	}
	n.gate = l.(*net.TCPListener)
	n.port = l.Addr().(*net.TCPAddr).Port
	gate := n.gate
	s.tasks.Go(func() { s.accept(gate, n) })
	return nil
}

func closeGate(n *node) {
	if n.gate != nil {
		_ = n.gate.Close()
		n.gate = nil
	}
}

// accept takes connections until l is closed: for one node, or for whose address was called when that is nil.
func (s *share) accept(l *net.TCPListener, n *node) {
	for {
		conn, err := l.AcceptTCP()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			s.log.Warn("cannot accept connections", "error", err)
			select {
			case <-s.done:
				return
			case <-time.After(time.Second): // most likely the limit of open files
			}
			continue
		}
		to := n
		if to == nil {
			to = s.at(conn.LocalAddr())
		}
		if to == nil || !s.admit(to, conn) {
			reset(conn)
			continue
		}
		s.tasks.Go(func() {
			s.serve(to, conn)
			s.leave(to, conn)
		})
	}
}

// admit adds conn to its node's unless that refuses.
func (s *share) admit(n *node, conn *net.TCPConn) bool {
	n.cluster.mu.Lock()
	defer n.cluster.mu.Unlock()
	if s.closing.Load() || n.answer.Load().manner == refusing {
		return false
	}
	n.conns = append(n.conns, conn)
	s.connections.Add(1)
	s.accepted.Add(1)
	return true
}

func (s *share) leave(n *node, conn *net.TCPConn) {
	_ = conn.Close()
	n.cluster.mu.Lock()
	defer n.cluster.mu.Unlock()
	n.conns = slices.DeleteFunc(n.conns, func(other *net.TCPConn) bool { return other == conn })
	s.connections.Add(-1)
}

// reset closes without the usual farewell: the other side sees a reset.
func reset(conn *net.TCPConn) {
	_ = conn.SetLinger(0)
	_ = conn.Close()
}

// serve answers requests until the connection breaks or one of both sides wants no more.
func (s *share) serve(n *node, conn *net.TCPConn) {
	in, have := make([]byte, firstRead), 0
	for {
		k, err := conn.Read(in[have:])
		if err != nil {
			return
		}
		have += k
		for have > 0 {
			end := bytes.Index(in[:have], []byte("\r\n\r\n"))
			if end < 0 {
				break
			}
			end += 4
			if !s.respond(n, conn, in[:end]) {
				return
			}
			have = copy(in, in[end:have])
		}
		switch {
		case have < len(in):
		case have >= maxHead:
			_, _ = conn.Write([]byte(headTooLarge))
			return
		default:
			more := make([]byte, 2*len(in))
			copy(more, in)
			in = more
		}
	}
}
