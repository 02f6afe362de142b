package redis

import (
	"net"
	"strconv"
	"strings"
	"sync"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe"
)

const (
	maxReply = 1 << 20 // bytes of all that answers one request
	maxHead  = 4 << 10 // bytes of a line: a length, a status, an error
	maxParts = 1024    // lists and maps in one reply, and entries announced for each: bounds nesting, too
)

// guard is a connection that reads replies only as long as they keep within bounds. It follows their framing, since the
// library trusts the lengths in it.
type guard struct {
	net.Conn
	password string // never repeated

	mu    sync.Mutex
	fault error // the first offence; every later read repeats it
	heard int   // bytes read since the last write
	parts int

	head    []byte // of the line that is being read
	payload int    // bytes of a bulk text, with its line end, that are still to come
}

// Write begins a request.
func (g *guard) Write(p []byte) (int, error) {
	g.mu.Lock()
	g.heard, g.parts = 0, 0
	g.mu.Unlock()
	return g.Conn.Write(p)
}

// Read hands on what keeps within the bounds.
func (g *guard) Read(p []byte) (int, error) {
	if err := g.offence(); err != nil {
		return 0, err
	}
	n, err := g.Conn.Read(p)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.heard += n
	if g.fault = g.follow(p[:n]); g.fault != nil {
		return 0, g.fault
	}
	return n, err
}

// offence is what a reply did wrong, if one did.
func (g *guard) offence() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.fault
}

func (g *guard) follow(p []byte) error {
	if g.heard > maxReply {
		return tooLarge()
	}
	for len(p) > 0 {
		if g.payload > 0 {
			n := min(g.payload, len(p))
			g.payload -= n
			p = p[n:]
			continue
		}
		c := p[0]
		p = p[1:]
		if c != '\n' {
			if g.head = append(g.head, c); len(g.head) > maxHead {
				return tooLarge()
			}
			if len(g.head) == 1 && !knownType(c) {
				return g.stranger(p)
			}
			continue
		}
		if err := g.line(); err != nil {
			return err
		}
		g.head = g.head[:0]
	}
	return nil
}

// line judges a whole line, without its newline.
func (g *guard) line() error {
	if len(g.head) == 0 {
		return g.stranger(nil)
	}
	switch g.head[0] {
	case '$', '=', '!':
		n, err := g.length()
		switch {
		case err != nil || n < -1:
			return refresh.NewFault(fsm.ReasonProtocol, "a reply has no length")
		case n > maxReply:
			return tooLarge()
		case n >= 0:
			g.payload = n + len("\r\n")
		}
	case '*', '%', '~', '>', '|':
		n, err := g.length()
		g.parts++
		switch {
		case err != nil || n < -1:
			return refresh.NewFault(fsm.ReasonProtocol, "a reply has no length")
		case n > maxParts || g.parts > maxParts:
			return tooLarge()
		}
	}
	return nil
}

func (g *guard) length() (int, error) {
	digits := g.head[1:]
	if n := len(digits); n > 0 && digits[n-1] == '\r' {
		digits = digits[:n-1]
	}
	return strconv.Atoi(string(digits))
}

// stranger is the fault of an answer that is not in Redis's form; rest is what comes after the head.
func (g *guard) stranger(rest []byte) error {
	line, _, _ := strings.Cut(string(append(g.head, rest...)), "\n")
	line = probe.Hide(line, g.password)
	return refresh.NewFault(fsm.ReasonProtocol, "is no Redis server: it answered %q", line[:min(len(line), 40)])
}

func knownType(c byte) bool {
	switch c {
	case '+', '-', ':', '$', '*', '_', ',', '#', '!', '=', '(', '%', '~', '>', '|':
		return true
	}
	return false
}

func tooLarge() error {
	return refresh.NewFault(fsm.ReasonTooLarge, "the answer is longer than %d bytes or holds more than %d parts", maxReply, maxParts)
}
