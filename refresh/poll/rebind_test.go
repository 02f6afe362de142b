package poll_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/poll"
)

// names is a server of names that answers every question with the address it holds now.
type names struct{ now atomic.Pointer[netip.Addr] }

func (n *names) dial(context.Context, string, string) (net.Conn, error) {
	here, there := net.Pipe()
	go n.serve(there)
	return here, nil
}

// serve answers questions as over TCP, each after its length, until the other side hangs up.
func (n *names) serve(conn net.Conn) {
	defer conn.Close()
	buf := make([]byte, 512)
	for {
		if _, err := conn.Read(buf[:2]); err != nil {
			return
		}
		size := int(binary.BigEndian.Uint16(buf))
		q := buf[2 : 2+size]
		for got := 0; got < size; {
			m, err := conn.Read(q[got:])
			if err != nil {
				return
			}
			got += m
		}
		answer := n.answer(q)
		if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...)); err != nil {
			return
		}
	}
}

// answer repeats the question, and adds the address where one of IPv4 is asked for.
func (n *names) answer(q []byte) []byte {
	end := 12
	for q[end] != 0 {
		end += int(q[end]) + 1
	}
	end += 5
	out := append([]byte(nil), q[:end]...)
	copy(out[2:], []byte{0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0})
	if binary.BigEndian.Uint16(q[end-4:]) != 1 {
		return out
	}
	out[7] = 1
	out = append(out, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
	return append(out, n.now.Load().AsSlice()...)
}

func (n *names) are(address string) {
	a := netip.MustParseAddr(address)
	n.now.Store(&a)
}

// A name that was allowed is judged again when it is dialed again, and says which address it has now.
func TestNamesThatMove(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
			conn.Close()
		}
	}()
	to := netip.MustParseAddrPort(l.Addr().String())
	d := poll.NewDialer(poll.Rules{Allow: ranges(t, "127.0.0.1", "10.0.0.0/8")})
	var n names
	d.LookUpBy(n.dial)
	reg := prometheus.NewRegistry()
	client, err := poll.New(poll.Config{Dial: d.Dial, Registerer: reg})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ask := func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		_, err := client.Fetch(ctx, refresh.Request{Address: fmt.Sprintf("orders-1.db.example.:%d", to.Port()), Path: "/v1/node"})
		return err
	}

	n.are("127.0.0.1")
	if err := ask(); err != nil {
		t.Fatal(err)
	}
	for i, address := range []string{"127.0.0.2", "169.254.169.254", "0.0.0.0", "192.0.2.1"} {
		n.are(address)
		err := ask()
		expectReason(t, err, fsm.ReasonForbidden)
		if err != nil && !strings.Contains(err.Error(), address) {
			t.Errorf("the address is not told: %v", err)
		}
		want := fmt.Sprintf("# HELP muster_poll_denied_dials_total Connections that the dial rules refused; "+
			"each is a failed poll with the reason address_forbidden.\n# TYPE muster_poll_denied_dials_total counter\n"+
			"muster_poll_denied_dials_total %d\n", i+1)
		if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "muster_poll_denied_dials_total"); err != nil {
			t.Error(err)
		}
	}
}

// What is no host:port is not dialed, however the system's own resolver would read it.
func TestAddressesInDisguise(t *testing.T) {
	d := poll.NewDialer(poll.Rules{})
	d.LookUpBy(func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Err: context.DeadlineExceeded}
	})
	for _, address := range []string{
		"2130706433:80", "0x7f000001:80", "017700000001:80", "127.1:80", "0177.0.0.1:80", "user@127.0.0.1:80", "file:///etc/passwd",
		"http://127.0.0.1:80", "127.0.0.1:80/v1", "127.0.0.1 :80", "127.0.0.1%00:80", "[::ffff:7f00:1]:80", "[::127.0.0.1]:80",
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		if conn, err := d.Dial(ctx, "tcp", address); err == nil {
			t.Errorf("%s was dialed: %s", address, conn.RemoteAddr())
		}
		cancel()
	}
}
