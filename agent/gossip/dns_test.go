package gossip_test

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/musterhq/muster/agent/gossip"
)

// Types of DNS records.
const (
	typeA   = 1
	typeSRV = 33
)

type record struct {
	name string
	kind uint16
}

// nameServer answers for its records over UDP, and says of all else that there is none.
type nameServer struct {
	conn net.PacketConn

	mu      sync.Mutex
	records map[record][][]byte
}

func startNameServer(t *testing.T) *nameServer {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &nameServer{conn: conn, records: map[record][][]byte{}}
	var wg sync.WaitGroup
	wg.Go(s.serve)
	t.Cleanup(func() { conn.Close(); wg.Wait() })
	return s
}

func (s *nameServer) serve() {
	buf := make([]byte, 1500)
	for {
		n, from, err := s.conn.ReadFrom(buf)
		if err != nil {
			return
		}
		_, _ = s.conn.WriteTo(s.answer(buf[:n]), from)
	}
}

// answer repeats the id and the question, and adds what there is.
func (s *nameServer) answer(query []byte) []byte {
	name, at := "", 12
	for query[at] != 0 {
		label := query[at+1 : at+1+int(query[at])]
		name, at = name+string(label)+".", at+1+len(label)
	}
	question := query[12 : at+5]
	kind := binary.BigEndian.Uint16(question[len(question)-4:])
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.records[record{name, kind}]
	flags := uint16(0x8580) // an answer, of authority, recursion as asked
	if len(s.records[record{name, typeA}])+len(s.records[record{name, typeSRV}]) == 0 {
		flags |= 3 // no such name
	}
	out := append([]byte{}, query[:2]...)
	for _, n := range []uint16{flags, 1, uint16(len(found)), 0, 0} {
		out = binary.BigEndian.AppendUint16(out, n)
	}
	out = append(out, question...)
	for _, data := range found {
		out = append(out, 0xc0, 12) // the question's name
		for _, n := range []uint16{kind, 1, 0, 0, uint16(len(data))} {
			out = binary.BigEndian.AppendUint16(out, n)
		}
		out = append(out, data...)
	}
	return out
}

func (s *nameServer) put(name string, kind uint16, data []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records[record{name, kind}] = append(s.records[record{name, kind}], data)
}

func (s *nameServer) host(name, ip string) { s.put(name, typeA, netip.MustParseAddr(ip).AsSlice()) }

func (s *nameServer) service(name, host string, port uint16) {
	data := []byte{0, 1, 0, 1} // priority, weight
	data = binary.BigEndian.AppendUint16(data, port)
	for label := range strings.SplitSeq(host, ".") {
		data = append(append(data, byte(len(label))), label...)
	}
	s.put(name, typeSRV, data)
}

func (s *nameServer) resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", s.conn.LocalAddr().String())
	}}
}

func port(p *peer) uint16 { return netip.MustParseAddrPort(p.Addr()).Port() }

// TestPeersMeetByDNS has peers that know names alone: one of hosts and one of SRV records, which appears late.
func TestPeersMeetByDNS(t *testing.T) {
	names := startNameServer(t)
	resolve := func(c *gossip.Config) { c.Resolver = names.resolver() }
	a, b, c := start(t, nil, idA, "127.0.0.1:0", resolve), start(t, nil, idB, "127.0.0.1:0", resolve), start(t, nil, idC, "127.0.0.1:0", resolve)
	names.host("peers.muster.test.", "127.0.0.1")
	b.keepJoining(net.JoinHostPort("peers.muster.test.", strconv.Itoa(int(port(a)))))
	a.sees(map[string]gossip.Status{idB: gossip.Alive})
	c.keepJoining("_gossip._tcp.muster.test.")
	names.host("a.muster.test.", "127.0.0.1")
	names.service("_gossip._tcp.muster.test.", "a.muster.test.", port(a))
	names.service("_gossip._tcp.muster.test.", "a.muster.test.", port(b))
	for _, p := range []*peer{a, b} {
		p.until("all three", func(ms []gossip.Member) bool { return len(ms) == 3 })
	}
	c.sees(map[string]gossip.Status{idA: gossip.Alive, idB: gossip.Alive})
}
