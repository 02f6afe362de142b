package gossip

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"
)

const (
	streamLimit = 128     // open at a time; memberlist's own cap on exchanges
	packetLimit = 1 << 16 // bytes of one UDP packet
	packetQueue = 64
	receiveSize = 2 << 20 // of the kernel's UDP buffer, best effort
	bindTries   = 10
)

// sockets is the transport of a peer on a network: one TCP listener and one
// UDP socket on the same port. Unlike memberlist's own it caps the streams
// open at a time, looks at the allowed networks first, and ends every stream
// and dial when it is shut down.
type sockets struct {
	tcp     *net.TCPListener
	udp     *net.UDPConn
	allowed []netip.Prefix
	clear   bool // nothing is encrypted
	log     *slog.Logger
	refused func(reason string)

	dial    func(addr string, timeout time.Duration) (net.Conn, error)
	end     context.CancelFunc // ends dials
	packets chan *memberlist.Packet
	arrived chan net.Conn
	slots   chan struct{}
	read    atomic.Int64 // bytes of the streams that are open
	closed  chan struct{}
	once    sync.Once
	tasks   sync.WaitGroup

	mu   sync.Mutex
	open map[*stream]struct{} // nil once shut down
}

func openSockets(ctx context.Context, bind netip.AddrPort, cfg Config, m *meters) (*sockets, error) {
	tcp, udp, err := listen(ctx, bind)
	if err != nil {
		return nil, err
	}
	if err := udp.SetReadBuffer(receiveSize); err != nil {
		cfg.Log.Debug("udp receive buffer stays small", "error", err)
	}
	dialing, end := context.WithCancel(ctx)
	s := &sockets{
		tcp: tcp, udp: udp, allowed: cfg.Allowed, clear: cfg.Keyring == nil, log: cfg.Log, end: end,
		refused: func(reason string) { m.refused.WithLabelValues(reason).Inc() },
		packets: make(chan *memberlist.Packet, packetQueue), arrived: make(chan net.Conn),
		slots: make(chan struct{}, streamLimit), closed: make(chan struct{}), open: map[*stream]struct{}{},
	}
	s.dial = func(addr string, timeout time.Duration) (net.Conn, error) {
		d := net.Dialer{Timeout: timeout}
		return d.DialContext(dialing, "tcp", addr)
	}
	s.tasks.Go(s.accept)
	s.tasks.Go(s.receive)
	return s, nil
}

// listen takes the same port for TCP and UDP. A free port is free for TCP
// only, so that is tried a few times.
func listen(ctx context.Context, bind netip.AddrPort) (*net.TCPListener, *net.UDPConn, error) {
	var lc net.ListenConfig
	var errs []error
	for range bindTries {
		tcp, err := lc.Listen(ctx, "tcp", bind.String())
		if err != nil {
			return nil, nil, fmt.Errorf("listen on %s: %w", bind, err)
		}
		port := tcp.Addr().(*net.TCPAddr).AddrPort().Port()
		udp, err := lc.ListenPacket(ctx, "udp", netip.AddrPortFrom(bind.Addr(), port).String())
		if err == nil {
			return tcp.(*net.TCPListener), udp.(*net.UDPConn), nil
		}
		errs = append(errs, fmt.Errorf("listen on udp port %d: %w", port, err))
		_ = tcp.Close()
		if bind.Port() != 0 {
			break
		}
	}
	return nil, nil, errors.Join(errs...)
}

func (s *sockets) FinalAdvertiseAddr(ip string, port int) (net.IP, int, error) {
	if ip == "" {
		a := s.tcp.Addr().(*net.TCPAddr)
		return a.IP, a.Port, nil
	}
	a, err := netip.ParseAddr(ip)
	if err != nil {
		return nil, 0, fmt.Errorf("advertise: %w", err)
	}
	return a.AsSlice(), port, nil
}

func (s *sockets) PacketCh() <-chan *memberlist.Packet { return s.packets }
func (s *sockets) StreamCh() <-chan net.Conn           { return s.arrived }

func (s *sockets) WriteTo(b []byte, addr string) (time.Time, error) {
	a, err := netip.ParseAddrPort(addr)
	if err != nil {
		return time.Time{}, fmt.Errorf("packet: %w", err)
	}
	_, err = s.udp.WriteToUDPAddrPort(b, a)
	return time.Now(), err
}

func (s *sockets) DialTimeout(addr string, timeout time.Duration) (net.Conn, error) {
	conn, err := s.dial(addr, timeout)
	if err != nil {
		return nil, err
	}
	return s.hold(conn, func() {})
}

// hold keeps conn where Shutdown finds it. release is called once.
func (s *sockets) hold(conn net.Conn, release func()) (net.Conn, error) {
	st := &stream{Conn: conn, of: s}
	st.release = sync.OnceFunc(func() {
		s.mu.Lock()
		delete(s.open, st)
		s.mu.Unlock()
		st.giveBack()
		release()
	})
	s.mu.Lock()
	if s.open == nil {
		s.mu.Unlock()
		_ = st.Close()
		return nil, net.ErrClosed
	}
	s.open[st] = struct{}{}
	s.mu.Unlock()
	return st, nil
}

func (s *sockets) accept() {
	for {
		conn, err := s.tcp.Accept()
		if err != nil {
			if s.paused(err) {
				continue
			}
			return
		}
		if !allows(s.allowed, conn.RemoteAddr().(*net.TCPAddr).AddrPort().Addr()) {
			s.refused("network")
			_ = conn.Close()
			continue
		}
		select {
		case s.slots <- struct{}{}:
		default: // full: the other side tries again
			s.refused("streams")
			_ = conn.Close()
			continue
		}
		held, err := s.hold(conn, func() { <-s.slots })
		if err != nil {
			return
		}
		select {
		case s.arrived <- held:
		case <-s.closed:
			_ = held.Close()
			return
		}
	}
}

func (s *sockets) receive() {
	buf := make([]byte, packetLimit)
	for {
		n, from, err := s.udp.ReadFromUDPAddrPort(buf)
		if err != nil {
			if s.paused(err) {
				continue
			}
			return
		}
		switch {
		case n == 0:
			continue
		case !allows(s.allowed, from.Addr()):
			s.refused("network")
			continue
		case s.clear && compressed(buf[:n], nested):
			s.refused("compressed")
			continue
		}
		p := &memberlist.Packet{Buf: slices.Clone(buf[:n]), From: net.UDPAddrFromAddrPort(from), Timestamp: time.Now()}
		select {
		case s.packets <- p:
		case <-s.closed:
			return
		}
	}
}

// paused waits a moment after an error of a socket that is still open (out of
// file descriptors, say) and tells whether to go on.
func (s *sockets) paused(err error) bool {
	if errors.Is(err, net.ErrClosed) {
		return false
	}
	s.log.Warn("gossip socket", "error", err)
	select {
	case <-s.closed:
		return false
	case <-time.After(100 * time.Millisecond):
		return true
	}
}

func allows(nets []netip.Prefix, a netip.Addr) bool {
	a = a.Unmap()
	return len(nets) == 0 || slices.ContainsFunc(nets, func(p netip.Prefix) bool { return p.Contains(a) })
}

// Shutdown closes everything and waits for its goroutines.
func (s *sockets) Shutdown() error {
	s.once.Do(func() {
		close(s.closed)
		s.end()
		_ = s.tcp.Close()
		_ = s.udp.Close()
		s.mu.Lock()
		open := s.open
		s.open = nil
		s.mu.Unlock()
		for st := range open {
			_ = st.Close()
		}
	})
	s.tasks.Wait()
	return nil
}
