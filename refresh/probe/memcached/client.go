package memcached

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe"
)

const (
	maxAnswer = 64 << 10 // bytes
	maxLine   = 2 << 10  // bytes
)

// client speaks the text protocol over one connection.
type client struct {
	conn net.Conn
	in   *bufio.Reader
}

// errLocked is the answer of a server that wants a login first.
var errLocked = refresh.NewFault(fsm.ReasonAuth,
	"the server wants a login: set username and password_file to a line of the file it was started with (-Y)")

func (p *Prober) open(ctx context.Context, line *probe.Line, t refresh.Target) (*client, error) {
	conn, err := line.Connect(ctx, t, &p.tls)
	if err != nil {
		return nil, err
	}
	return &client{conn: conn, in: bufio.NewReaderSize(conn, maxLine)}, nil
}

// Close closes the connection.
func (c *client) Close() { _ = c.conn.Close() }

// ask asks for stats, and logs in if that is what the server answers.
func (p *Prober) ask(c *client) (map[string]string, error) {
	stats, err := c.stats()
	if !errors.Is(err, errLocked) || p.login.Username == "" {
		return stats, err
	}
	password, err := p.login.Reveal(p.env)
	if err != nil {
		return nil, err
	}
	if err := c.logIn(p.login.Username + " " + password); err != nil {
		return nil, err
	}
	return c.stats()
}

// stats asks for the server's statistics by name.
func (c *client) stats() (map[string]string, error) {
	if _, err := io.WriteString(c.conn, "stats\r\n"); err != nil {
		return nil, fmt.Errorf("send: %w", err)
	}
	stats := map[string]string{}
	for {
		line, err := c.line()
		if err != nil {
			return nil, err
		}
		word, rest, _ := strings.Cut(line, " ")
		switch {
		case word == "STAT":
			name, value, _ := strings.Cut(rest, " ")
			stats[name] = value
		case line == "END" && stats["version"] != "":
			return stats, nil
		default:
			return nil, refused(line)
		}
	}
}

// logIn is for a server that wants it: any other would store the credentials.
func (c *client) logIn(credentials string) error {
	if _, err := fmt.Fprintf(c.conn, "set muster 0 0 %d\r\n%s\r\n", len(credentials), credentials); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	line, err := c.line()
	switch {
	case err != nil:
		return err
	case line == "STORED":
		return nil
	}
	_, password, _ := strings.Cut(credentials, " ")
	return refresh.NewFault(fsm.ReasonAuth, "the server refuses the login: it answered %.100q", probe.Hide(line, password))
}

func (c *client) line() (string, error) {
	line, err := c.in.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return "", refresh.NewFault(fsm.ReasonTooLarge, "a line is longer than %d bytes", maxLine)
	case err != nil:
		return "", fmt.Errorf("read: %w", err)
	}
	return strings.TrimRight(string(line), "\r\n"), nil
}

// refused is the fault of a line that is no statistic.
func refused(line string) error {
	word, _, _ := strings.Cut(line, " ")
	switch {
	case line == "CLIENT_ERROR unauthenticated":
		return errLocked
	case line == "ERROR Too many open connections", word == "SERVER_ERROR":
		return refresh.NewFault(fsm.ReasonStore, "the server answered %.100q", line)
	case line == "END":
		return refresh.NewFault(fsm.ReasonProtocol, "is no memcached server: its stats hold no version")
	}
	return refresh.NewFault(fsm.ReasonProtocol, "is no memcached server: it answered %.100q", line)
}
