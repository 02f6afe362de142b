package peerport

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"syscall"
	"time"
)

// TLS is how connections are secured. Each gets a configuration of its own, so
// that certificates can change while the port runs; both sides must show that of
// a peer.
type TLS interface {
	PeerServer(protocols ...string) *tls.Config
	PeerClient(protocol string) *tls.Config
}

// What ALPN calls the two protocols. HTTP's own names are left to HTTP faces, so
// that neither is taken for the other.
const (
	alpnRaft = "muster-raft"
	alpnHTTP = "muster-peer-http"
)

// tlsRecord is the first byte of a TLS handshake.
const tlsRecord = 0x16

var (
	errTLS       = errors.New("TLS on a plain port")
	errPlain     = errors.New("plain TCP on a TLS port")
	errHandshake = errors.New("tls handshake")
)

// handshake lets the caller show who it is, and classifies what it wants. first is
// the byte that conn will give first.
func (p *Port) handshake(conn net.Conn, first byte) (protocol, net.Conn, error) {
	if first != tlsRecord {
		tellPlain(conn, first)
		return protocolNew, nil, errPlain
	}
	secured := tls.Server(conn, p.secure)
	if err := secured.HandshakeContext(p.life); err != nil {
		return protocolNew, nil, fmt.Errorf("%w: %w", errHandshake, err)
	}
	switch secured.ConnectionState().NegotiatedProtocol {
	case alpnHTTP:
		return protocolHTTP, opaque{secured}, nil
	case alpnRaft:
		var begin [1]byte
		if _, err := io.ReadFull(secured, begin[:]); err != nil {
			return protocolNew, nil, fmt.Errorf("read first byte: %w", err)
		}
		if begin[0] == magic {
			return protocolRaft, opaque{secured}, nil
		}
	}
	return protocolNew, nil, errUnknownProtocol
}

// opaque hides from net/http that a connection is TLS: what it carries was agreed
// on already.
type opaque struct{ net.Conn }

// secured is a dialed connection once the peer has shown who it is.
func (p *Port) secured(ctx context.Context, conn net.Conn, alpn string) (net.Conn, error) {
	if p.cfg.TLS == nil {
		return conn, nil
	}
	c := tls.Client(conn, p.cfg.TLS.PeerClient(alpn))
	err := c.HandshakeContext(ctx)
	if err == nil {
		return opaque{c}, nil
	}
	if _, garbled := errors.AsType[tls.RecordHeaderError](err); garbled || errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) {
		return nil, fmt.Errorf("%w: %w; does that peer speak TLS? It needs -ca-file, -cert-file and -key-file as this one does",
			errHandshake, err)
	}
	return nil, fmt.Errorf("%w: %w", errHandshake, err)
}

// tellPlain answers a caller that speaks plain TCP in its own protocol, so that it
// can say what is wrong. It tells nothing of this peer.
func tellPlain(conn net.Conn, first byte) {
	switch {
	case first == magic:
		var begin [1]byte
		if _, err := io.ReadFull(conn, begin[:]); err != nil {
			return
		}
		if _, err := readHello(conn); err == nil {
			_ = writeAnswer(conn, answer{reason: NeedsTLS}) // the caller may be gone
		}
	case 'A' <= first && first <= 'Z':
		drain(conn)
		const body = `{"error":{"code":"tls_required","message":"this port speaks TLS, and only to peers"}}` + "\n"
		head := fmt.Sprintf("HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: %d\r\n\r\n",
			http.StatusMisdirectedRequest, http.StatusText(http.StatusMisdirectedRequest), len(body))
		_, _ = conn.Write(slices.Concat([]byte(head), []byte(body)))
	}
}

// drain reads what a caller has sent by now: a connection that is closed over unread
// bytes is reset, and an answer lost.
func drain(conn net.Conn) {
	const patience = 50 * time.Millisecond
	if conn.SetReadDeadline(time.Now().Add(patience)) != nil {
		return
	}
	for buf, left := make([]byte, 1<<10), maxHeaderBytes; left > 0; {
		n, err := conn.Read(buf)
		if left -= n; err != nil {
			return
		}
	}
}
