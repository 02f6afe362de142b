package zookeeper

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe"
)

const (
	word      = "srvr"
	maxAnswer = 64 << 10 // bytes; an answer is shorter than one KiB, and TLS adds its certificates
)

// client asks one server. It holds no connection between polls, since the server closes each after its answer.
type client struct {
	prober *Prober
	line   *probe.Line
	target refresh.Target
}

func (p *Prober) open(_ context.Context, line *probe.Line, t refresh.Target) (*client, error) {
	return &client{prober: p, line: line, target: t}, nil
}

// Close does nothing: there is nothing left.
func (c *client) Close() {}

// ask sends the word and reads until the server closes. When it could not be sent, what the server said before tells why.
func (c *client) ask(ctx context.Context) (string, error) {
	conn, err := c.connect(ctx)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	_, unsent := io.WriteString(conn, word)
	text, err := io.ReadAll(conn)
	switch {
	case err != nil:
		return "", fmt.Errorf("read: %w", refused(err))
	case len(text) == 0 && unsent != nil:
		return "", fmt.Errorf("send: %w", unsent)
	case len(text) == 0:
		return "", io.EOF
	}
	return string(text), nil
}

func (c *client) connect(ctx context.Context) (net.Conn, error) {
	config, err := c.prober.tls.Config(c.prober.env, c.target.Address)
	if err != nil {
		return nil, err
	}
	raw, err := c.line.Dial(ctx, "tcp", c.target.HostPort())
	if err != nil || config == nil {
		return raw, err
	}
	conn := tls.Client(raw, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = raw.Close()
		if refresh.FaultOf(err).Reason == fsm.ReasonReset {
			return nil, refresh.NewFault(fsm.ReasonTLS, "the connection was closed during the handshake, as by a server without TLS")
		}
		return nil, fmt.Errorf("handshake: %w", refused(err))
	}
	return conn, nil
}

// refused gives an alert of the server's its reason; crypto/tls has no other mark for one.
func refused(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "remote error" {
		return refresh.NewFault(fsm.ReasonTLS, "the server refused: %w", op.Err)
	}
	return err
}
