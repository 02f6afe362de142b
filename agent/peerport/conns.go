package peerport

import (
	"errors"
	"net"
	"net/netip"
	"sync"
)

// protocol is what a connection carries, as far as is known.
type protocol string

const (
	protocolNew    protocol = "new" // accepted, not classified yet
	protocolRaft   protocol = "raft"
	protocolHTTP   protocol = "http"
	protocolDialed protocol = "dialed" // ours, whatever it carries
)

var (
	errTooMany      = errors.New("too many connections")
	errTooManyPerIP = errors.New("too many connections from one ip")
	errTooManyNew   = errors.New("too many connections that have not shown who they are")

	errTooManyNewPerIP = errors.New("too many connections from one ip that have not shown who they are")
)

// connSet holds every open connection of the port: to bound them, and so that
// none outlives Run.
type connSet struct {
	max, maxPerIP, maxNew, maxNewPerIP int

	metrics *metrics

	mu         sync.Mutex
	open       map[*trackedConn]protocol
	accepted   int
	fresh      int // of those accepted, as long as they are protocolNew
	perIP      map[string]int
	freshPerIP map[string]int
	sealed     bool
}

// trackedConn leaves its set when it is closed.
type trackedConn struct {
	net.Conn
	set     *connSet
	counted bool // as accepted; dialed ones are not
	ip      string
	once    sync.Once
}

func newConnSet(cfg *Config, m *metrics) *connSet {
	return &connSet{
		max: cfg.MaxConns, maxPerIP: cfg.MaxConnsPerIP, maxNew: cfg.MaxHandshakes,
		maxNewPerIP: cfg.MaxHandshakesPerIP, metrics: m,
		open: map[*trackedConn]protocol{}, perIP: map[string]int{}, freshPerIP: map[string]int{},
	}
}

// admit takes an accepted connection into the set. On error it is not taken,
// and left open.
func (s *connSet) admit(raw net.Conn) (*trackedConn, error) {
	c := &trackedConn{Conn: raw, set: s, counted: true, ip: remoteIP(raw)}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.sealed:
		return nil, net.ErrClosed
	case s.accepted >= s.max:
		return nil, errTooMany
	case s.perIP[c.ip] >= s.maxPerIP:
		return nil, errTooManyPerIP
	case s.fresh >= s.maxNew:
		return nil, errTooManyNew
	case s.freshPerIP[c.ip] >= s.maxNewPerIP:
		return nil, errTooManyNewPerIP
	}
	s.accepted++
	s.fresh++
	s.perIP[c.ip]++
	s.freshPerIP[c.ip]++
	s.put(c, protocolNew)
	return c, nil
}

// adopt takes a dialed connection into the set. On error it is not taken, and
// left open.
func (s *connSet) adopt(raw net.Conn) (*trackedConn, error) {
	c := &trackedConn{Conn: raw, set: s}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sealed {
		return nil, net.ErrClosed
	}
	s.put(c, protocolDialed)
	return c, nil
}

// classified moves c to its protocol, and reports false when the port is
// stopping or c was closed meanwhile.
func (s *connSet) classified(c *trackedConn, as protocol) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	was, open := s.open[c]
	if s.sealed || !open {
		return false
	}
	s.metrics.open.WithLabelValues(string(was)).Dec()
	s.shown(c)
	s.put(c, as)
	s.metrics.accepted.WithLabelValues(string(as)).Inc()
	return true
}

// seal lets nothing more in.
func (s *connSet) seal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sealed = true
}

// closeAll closes what carries one of the protocols.
func (s *connSet) closeAll(of ...protocol) {
	s.mu.Lock()
	var doomed []*trackedConn
	for c, carries := range s.open {
		for _, p := range of {
			if p == carries {
				doomed = append(doomed, c)
			}
		}
	}
	s.mu.Unlock()
	for _, c := range doomed {
		_ = c.Close()
	}
}

// put is called with mu held.
func (s *connSet) put(c *trackedConn, as protocol) {
	s.open[c] = as
	s.metrics.open.WithLabelValues(string(as)).Inc()
}

// shown is called with mu held, once for each accepted connection: when it has shown who it is, or closed before.
func (s *connSet) shown(c *trackedConn) {
	s.fresh--
	if s.freshPerIP[c.ip]--; s.freshPerIP[c.ip] == 0 {
		delete(s.freshPerIP, c.ip)
	}
}

func (s *connSet) remove(c *trackedConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.metrics.open.WithLabelValues(string(s.open[c])).Dec()
	if s.open[c] == protocolNew {
		s.shown(c)
	}
	delete(s.open, c)
	if !c.counted {
		return
	}
	s.accepted--
	if s.perIP[c.ip]--; s.perIP[c.ip] == 0 {
		delete(s.perIP, c.ip)
	}
}

// Close may be called again, as by raft, net/http and the set for one connection.
func (c *trackedConn) Close() error {
	err := net.ErrClosed
	c.once.Do(func() {
		err = c.Conn.Close()
		c.set.remove(c)
	})
	return err
}

// remoteIP is what connections are counted by: the remote IP, and where an
// address holds none (a transport in memory) all of it.
func remoteIP(c net.Conn) string {
	remote := c.RemoteAddr().String()
	if ap, err := netip.ParseAddrPort(remote); err == nil {
		return ap.Addr().Unmap().WithZone("").String()
	}
	return remote
}
