package httpd

import (
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

var (
	errConns      = errors.New("too many connections")
	errConnsPerIP = errors.New("too many connections from one address")
)

// gate lets in so many connections in all and from one address, from their first byte to their end whatever they carry.
// Others are closed at once.
type gate struct {
	net.Listener
	most, mostPerIP int
	tell            bool // them why, as plain HTTP does
	metrics         *metrics
	log             *slog.Logger
	told            rate.Sometimes

	mu    sync.Mutex
	open  int
	perIP map[string]int
}

func (s *Server) gate(ln net.Listener) *gate {
	return &gate{
		Listener: ln, most: s.MaxConns, mostPerIP: s.MaxConnsPerIP, tell: s.TLS == nil, metrics: s.metrics, log: s.log,
		told: rate.Sometimes{Interval: 10 * time.Second}, perIP: map[string]int{},
	}
}

// Accept implements net.Listener.
func (g *gate) Accept() (net.Conn, error) {
	for {
		raw, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		from := remoteIP(raw)
		if err := g.enter(from); err != nil {
			g.refuse(raw, err)
			continue
		}
		return &guest{Conn: raw, left: sync.OnceFunc(func() { g.leave(from) })}, nil
	}
}

func (g *gate) enter(from string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.open >= g.most:
		return errConns
	case g.perIP[from] >= g.mostPerIP:
		return errConnsPerIP
	}
	g.open++
	g.perIP[from]++
	g.metrics.conns.Store(int64(g.open))
	return nil
}

func (g *gate) leave(from string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open--
	g.metrics.conns.Store(int64(g.open))
	if g.perIP[from]--; g.perIP[from] == 0 {
		delete(g.perIP, from)
	}
}

// refuse closes a connection that is one too many. It waits for nobody: an answer that does not fit is left out.
func (g *gate) refuse(raw net.Conn, why error) {
	reason := "conns"
	if errors.Is(why, errConnsPerIP) {
		reason = "conns_per_ip"
	}
	g.metrics.refused.WithLabelValues(reason).Inc()
	g.told.Do(func() {
		g.log.Warn("connection to the API refused", "reason", why, "remote", raw.RemoteAddr().String())
	})
	if g.tell && raw.SetWriteDeadline(time.Now().Add(time.Millisecond)) == nil {
		_, _ = raw.Write(earlyAnswer(http.StatusTooManyRequests, CodeTooMany, why.Error()+"; close those that are not needed"))
	}
	_ = raw.Close()
}

// guest is a connection that was let in.
type guest struct {
	net.Conn
	left func()
}

// Close implements net.Conn; it may be called again.
func (c *guest) Close() error {
	c.left()
	return c.Conn.Close()
}

// remoteIP is what connections are counted by: the remote IP, and where an address holds none (a transport in memory) all of it.
func remoteIP(c net.Conn) string {
	remote := c.RemoteAddr().String()
	if ap, err := netip.ParseAddrPort(remote); err == nil {
		return ap.Addr().Unmap().WithZone("").String()
	}
	return remote
}
