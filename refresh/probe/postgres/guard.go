package postgres

import (
	"bytes"
	"encoding/binary"
	"io"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe"
)

const (
	headLength   = 5  // bytes: a message's type and length
	saslContinue = 11 // the code of the message in which a server says how often
)

// guard reads what a server sends before pgconn does. pgconn bounds a message's length; what it does not is checked here:
// that the first byte can begin a server's answer at all, so that another kind of server is called that and not too long,
// and how much work a server asks for before it has shown that it knows the password.
type guard struct {
	io.Reader
	heard int // bytes

	head   []byte // of the message that is being read, and of authentication messages the whole
	rest   int    // bytes of it still to come
	logged bool   // the server accepted the login; nothing is followed from then on
}

func (g *guard) Read(p []byte) (int, error) {
	n, err := g.Reader.Read(p)
	first := g.heard == 0
	g.heard += n
	if first && n > 0 && bytes.IndexByte([]byte("RENv"), p[0]) < 0 {
		return 0, noServer(p[:n])
	}
	if offence := g.follow(p[:n]); offence != nil {
		return 0, offence
	}
	return n, err
}

func (g *guard) follow(p []byte) error {
	for len(p) > 0 && !g.logged {
		if g.rest == 0 {
			n := min(headLength-len(g.head), len(p))
			g.head, p = append(g.head, p[:n]...), p[n:]
			if len(g.head) < headLength {
				return nil
			}
			g.rest = int(binary.BigEndian.Uint32(g.head[1:])) - 4
			if g.rest < 0 || g.rest > maxMessage { // pgconn refuses it
				g.logged = true
				return nil
			}
		}
		n := min(g.rest, len(p))
		if g.head[0] == 'R' {
			g.head = append(g.head, p[:n]...)
		}
		g.rest, p = g.rest-n, p[n:]
		if g.rest == 0 {
			if err := g.judge(g.head[0], g.head[headLength:]); err != nil {
				return err
			}
			g.head = g.head[:0]
		}
	}
	return nil
}

// judge judges a whole message. Of all but authentication messages body is empty.
func (g *guard) judge(kind byte, body []byte) error {
	if kind != 'R' || len(body) < 4 {
		return nil
	}
	switch code := binary.BigEndian.Uint32(body); code {
	case 0:
		g.logged, g.head = true, nil
	case saslContinue:
		return probe.CheckScram(string(body[4:]))
	}
	return nil
}

func noServer(answer []byte) error {
	return refresh.NewFault(fsm.ReasonProtocol, "is no PostgreSQL server: it answered %q", answer[:min(len(answer), 40)])
}
