package zookeeper

import (
	"context"
	"fmt"
	"io"

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
	conn, err := c.line.Connect(ctx, c.target, &c.prober.tls)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	_, unsent := io.WriteString(conn, word)
	text, err := io.ReadAll(conn)
	switch {
	case err != nil:
		return "", refresh.FaultOf(fmt.Errorf("read: %w", err)) // told apart here: a failed write must not hide an alert
	case len(text) == 0 && unsent != nil:
		return "", fmt.Errorf("send: %w", unsent)
	case len(text) == 0:
		return "", io.EOF
	}
	return string(text), nil
}
