package peerport

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"time"
)

var errUnknownProtocol = errors.New("neither a peer frame nor an http request")

// greet finds out what an accepted connection carries and hands it on. It runs
// in the connection's own goroutine, and ends with the connection handed on or
// closed.
func (p *Port) greet(c *trackedConn) {
	err := c.SetDeadline(time.Now().Add(p.cfg.HandshakeTimeout))
	if err != nil || !p.pass(c) {
		_ = c.Close()
	}
}

// pass reports whether somebody took the connection.
func (p *Port) pass(c *trackedConn) bool {
	carries, conn, err := p.classify(c)
	if err != nil {
		p.turnAwayUnread(c, err)
		return false
	}
	if !p.conns.classified(c, carries) {
		return false
	}
	if carries == protocolRaft {
		return p.streams.take(conn)
	}
	return conn.SetDeadline(time.Time{}) == nil && p.web.offer(conn, p.cfg.HandshakeTimeout)
}

// classify tells the protocols apart, by the first byte or by what TLS agreed on. The connection returned is the one to
// carry on with: for raft behind the magic byte, for HTTP at its beginning.
func (p *Port) classify(conn net.Conn) (protocol, net.Conn, error) {
	var first [1]byte
	if _, err := io.ReadFull(conn, first[:]); err != nil {
		return protocolNew, nil, fmt.Errorf("read first byte: %w", err)
	}
	if p.secure != nil {
		return p.handshake(&replayConn{Conn: conn, unread: first[:]}, first[0])
	}
	switch b := first[0]; {
	case b == tlsRecord:
		drain(conn)
		return protocolNew, nil, errTLS
	case b == magic:
		return protocolRaft, conn, nil
	case 'A' <= b && b <= 'Z':
		return protocolHTTP, &replayConn{Conn: conn, unread: first[:]}, nil
	default:
		return protocolNew, nil, errUnknownProtocol
	}
}

func (p *Port) turnAwayUnread(c net.Conn, err error) {
	remote := slog.String("remote", c.RemoteAddr().String())
	switch {
	case isTimeout(err):
		p.refusals.add(refusedSilent, remote)
	case errors.Is(err, errUnknownProtocol):
		p.refusals.add(refusedUnknownProtocol, remote)
	case errors.Is(err, errTLS):
		p.refusals.add(refusedTLS, remote, slog.String("remedy",
			"the caller speaks TLS and this peer does not: give this one -ca-file, -cert-file and -key-file too"))
	case errors.Is(err, errPlain):
		p.refusals.add(NeedsTLS.String(), remote, slog.String("remedy",
			"the caller does not speak TLS, as this peer does: give that one -ca-file, -cert-file and -key-file too"))
	case errors.Is(err, errHandshake):
		p.refusals.add(refusedHandshake, remote, slog.Any("error", err))
	}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// replayConn gives back what was read to classify it.
type replayConn struct {
	net.Conn
	unread []byte
}

func (c *replayConn) Read(b []byte) (int, error) {
	if len(c.unread) > 0 {
		n := copy(b, c.unread)
		c.unread = c.unread[n:]
		return n, nil
	}
	return c.Conn.Read(b)
}
