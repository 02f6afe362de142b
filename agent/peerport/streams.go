package peerport

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/hashicorp/raft"
)

// Streams is the raft.StreamLayer of a Port. Its addresses are peer ids.
type Streams struct {
	port *Port
	in   *handoff
}

var _ raft.StreamLayer = (*Streams)(nil)

// Accept waits for a stream from a peer that has introduced itself; it returns
// net.ErrClosed after Close.
func (s *Streams) Accept() (net.Conn, error) { return s.in.Accept() }

// Close ends Accept; peers that call from then on are refused as Closing.
// Streams open by then stay open. Dial still works: raft may be sending its last.
func (s *Streams) Close() error { return s.in.Close() }

// Addr is the peer's own id, which raft puts into the head of every RPC.
func (s *Streams) Addr() net.Addr { return s.in.Addr() }

// Dial connects to the peer whose id is address, and returns once it has agreed
// to be that peer. The timeout bounds all of it; 0 is Config.DialTimeout. Errors
// are a *DialError, a *RefusedError, or those of the exchange itself.
func (s *Streams) Dial(address raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	id := string(address)
	conn, err := s.dial(id, timeout)
	if err != nil {
		return nil, err
	}
	return &dialedStream{
		conn:   conn,
		stale:  s.port.cfg.IdleTimeout / 2,
		redial: func(timeout time.Duration) (net.Conn, error) { return s.dial(id, timeout) },
	}, nil
}

// CloseStreams closes every stream that was accepted. Raft's transport leaves
// them open when it is closed.
func (s *Streams) CloseStreams() { s.port.conns.closeAll(protocolRaft) }

func (s *Streams) dial(id string, timeout time.Duration) (_ net.Conn, err error) {
	p := s.port
	defer func() { p.metrics.dialOutcome(err) }()
	if timeout == 0 {
		timeout = p.cfg.DialTimeout
	}
	ctx, cancel := context.WithTimeout(p.life, timeout)
	defer cancel()
	conn, err := p.dial(ctx, id, alpnRaft)
	if err != nil {
		return nil, err
	}
	if err := p.introduce(ctx, conn, id); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}

// introduce says who calls whom and waits for the answer, until ctx ends.
func (p *Port) introduce(ctx context.Context, conn net.Conn, id string) error {
	by, _ := ctx.Deadline()
	if err := conn.SetDeadline(by); err != nil {
		return fmt.Errorf("introduce to peer %s: %w", id, err)
	}
	h := hello{group: p.cfg.Group(), from: p.cfg.ID, to: id, instance: p.instance}
	if err := writeHello(conn, h); err != nil {
		return fmt.Errorf("introduce to peer %s: %w", id, err)
	}
	a, err := readAnswer(conn)
	if err != nil {
		return fmt.Errorf("await the answer of peer %s: %w", id, err)
	}
	if reason := a.verdict(h); reason != accepted {
		return &RefusedError{
			Reason: reason, From: h.from, Group: h.group, To: id, Peer: a.id, PeerGroup: a.group,
		}
	}
	return conn.SetDeadline(time.Time{})
}

// verdict is what a caller makes of the answer: it trusts an acceptance only
// from the peer it wanted.
func (a answer) verdict(h hello) Reason {
	switch {
	case a.reason != accepted:
		return a.reason
	case h.group != "" && a.group != "" && h.group != a.group:
		return WrongGroup
	case a.id != h.to:
		return WrongPeer
	default:
		return accepted
	}
}

// take reads who calls, answers, and hands the stream to raft. It reports
// whether raft has taken it.
func (s *Streams) take(conn net.Conn) bool {
	p := s.port
	h, err := readHello(conn)
	if err != nil && !isRefusable(err) {
		if isTimeout(err) {
			p.refusals.add(refusedSilent, slog.String("remote", conn.RemoteAddr().String()))
		}
		return false
	}
	reason := s.judge(h, err)
	if reason != accepted {
		p.refusals.add(reason.String(), slog.String("remote", conn.RemoteAddr().String()),
			slog.String("peer", h.from), slog.String("group", h.group), slog.String("wanted", h.to))
	}
	if err := writeAnswer(conn, answer{reason: reason, group: p.cfg.Group(), id: p.cfg.ID}); err != nil {
		return false
	}
	if reason != accepted || conn.SetDeadline(time.Time{}) != nil {
		return false
	}
	return s.in.offer(&idleConn{Conn: conn, idle: p.cfg.IdleTimeout}, p.cfg.HandshakeTimeout)
}

func (s *Streams) judge(h hello, err error) Reason {
	switch {
	case errors.Is(err, errFrameVersion):
		return UnknownVersion
	case err != nil:
		return Malformed
	case s.in.isClosed():
		return Closing
	default:
		return s.port.judge(h)
	}
}

func isRefusable(err error) bool {
	return errors.Is(err, errFrameVersion) || errors.Is(err, errFrameFormat) || errors.Is(err, errFrameLength)
}

// idleConn gives up on a stream that rests for longer than idle, in either
// direction. Raft sets no deadlines on what it accepts.
type idleConn struct {
	net.Conn
	idle time.Duration
}

func (c *idleConn) Read(b []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(c.idle)); err != nil {
		return 0, err
	}
	return c.Conn.Read(b)
}

func (c *idleConn) Write(b []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(c.idle)); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}
