package sidecar

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/musterhq/muster/agent/namedfile"
	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

const (
	maxConns    = 512 // at a time
	maxConnsOf  = 64  // at a time from one address
	maxFileSize = 64 << 10
)

// tokens are those of a file, one to a line, so that a new one can be added before an old one goes.
type tokens struct{ file string }

func (t tokens) read() ([][sha256.Size]byte, error) {
	raw, err := readFile(t.file)
	if err != nil {
		return nil, err
	}
	var sums [][sha256.Size]byte
	for line := range bytes.Lines(raw) {
		if line = bytes.TrimSpace(line); len(line) > 0 {
			sums = append(sums, sha256.Sum256(line))
		}
	}
	if len(sums) == 0 {
		return nil, errors.New(t.file + " holds no token")
	}
	return sums, nil
}

// admit lets in who brings one of the tokens.
func (t tokens) admit(r *http.Request) error {
	given := r.Header.Get("X-Muster-Token")
	if scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && strings.EqualFold(scheme, "Bearer") {
		given = strings.TrimSpace(token)
	}
	if given == "" {
		return fsm.Errorf(httpd.CodeUnauthorized, "a token is wanted: Authorization: Bearer TOKEN")
	}
	sums, err := t.read()
	if err != nil {
		return fsm.Errorf(fsm.CodeUnavailable, "the sidecar cannot read its tokens")
	}
	sum, good := sha256.Sum256([]byte(given)), 0
	for i := range sums {
		good |= subtle.ConstantTimeCompare(sum[:], sums[i][:])
	}
	if good == 0 {
		return fsm.Errorf(httpd.CodeUnauthorized, "the token is not one of this sidecar's")
	}
	return nil
}

// local says whether a Host header names this machine. Another name that was made to resolve to loopback would let a web page
// reach the sidecar through its reader's browser. HTTP/1.0 clients, which no browser is, may leave it out.
func local(host string) bool {
	if host == "" {
		return true
	}
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	if ip, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil {
		return ip.Unmap().IsLoopback()
	}
	return strings.EqualFold(strings.TrimSuffix(name, "."), "localhost")
}

// gate accepts so many connections at a time, and so many from one address; more are closed at once.
type gate struct {
	net.Listener
	refused prometheus.Counter

	mu    sync.Mutex
	total int
	from  map[netip.Addr]int
}

// Accept implements net.Listener.
func (g *gate) Accept() (net.Conn, error) {
	for {
		conn, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		var addr netip.Addr
		if ap, err := netip.ParseAddrPort(conn.RemoteAddr().String()); err == nil {
			addr = ap.Addr().Unmap()
		}
		if g.enter(addr) {
			return &guest{Conn: conn, leave: sync.OnceFunc(func() { g.left(addr) })}, nil
		}
		g.refused.Inc()
		_ = conn.Close()
	}
}

func (g *gate) enter(addr netip.Addr) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.total >= maxConns || g.from[addr] >= maxConnsOf {
		return false
	}
	if g.from == nil {
		g.from = map[netip.Addr]int{}
	}
	g.total++
	g.from[addr]++
	return true
}

func (g *gate) left(addr netip.Addr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.total--
	if g.from[addr]--; g.from[addr] == 0 {
		delete(g.from, addr)
	}
}

// guest is a connection that was let in.
type guest struct {
	net.Conn
	leave func()
}

// Close implements net.Conn.
func (c *guest) Close() error {
	c.leave()
	return c.Conn.Close()
}

// readFile reads a file that is small.
func readFile(path string) ([]byte, error) {
	return namedfile.Read(path, namedfile.Rules{Most: maxFileSize})
}
