package gossip_test

import (
	"bytes"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/musterhq/muster/agent/gossip"
)

func keyed(t *testing.T, b byte) func(*gossip.Config) {
	t.Helper()
	ring, err := memberlist.NewKeyring(nil, bytes.Repeat([]byte{b}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return func(c *gossip.Config) { c.Keyring = ring }
}

func TestOverSockets(t *testing.T) {
	a := start(t, nil, idA, "127.0.0.1:0", keyed(t, 1))
	b := start(t, nil, idB, "127.0.0.1:0", keyed(t, 1))
	c := start(t, nil, idC, "127.0.0.1:0", keyed(t, 1))
	b.keepJoining(a.Addr())
	c.keepJoining(a.Addr())
	both := map[string]gossip.Status{idB: gossip.Alive, idC: gossip.Alive}
	a.sees(both)
	b.sees(map[string]gossip.Status{idA: gossip.Alive, idC: gossip.Alive})
	at := b.Addr()
	b.stop(gossip.Stopping)
	a.sees(map[string]gossip.Status{idB: gossip.Stopped, idC: gossip.Alive})
	c.crash()
	a.sees(map[string]gossip.Status{idB: gossip.Stopped, idC: gossip.Failed})

	again := start(t, nil, idB, at, keyed(t, 1))
	again.keepJoining(a.Addr())
	a.sees(map[string]gossip.Status{idB: gossip.Alive, idC: gossip.Failed})
}

func TestWrongKeyOrNoneStaysOut(t *testing.T) {
	a := start(t, nil, idA, "127.0.0.1:0", keyed(t, 1))
	b := start(t, nil, idB, "127.0.0.1:0", keyed(t, 2))
	c := start(t, nil, idC, "127.0.0.1:0", nil)
	for name, p := range map[string]*peer{"wrong key": b, "no key": c} {
		if n, err := p.Join(t.Context(), []string{a.Addr()}); n != 0 || err == nil {
			t.Errorf("%s: joined %d, %v", name, n, err)
		}
	}
	a.sees(nil)
}

func TestOnlyAllowedNetworks(t *testing.T) {
	a := start(t, nil, idA, "127.0.0.1:0", func(c *gossip.Config) {
		c.Allowed = []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")}
		c.Bind, c.Timings.Stream = "127.0.0.2:0", time.Minute
	})
	conn, err := net.Dial("tcp", a.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	expectClosed(t, conn)

	g := configured(t, func(c *gossip.Config) { c.Allowed = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")} })
	if err := g.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "allowed networks") {
		t.Errorf("own address outside the allowed networks: %v", err)
	}
}

func TestIdleStreamsAreCappedAndEnd(t *testing.T) {
	a := start(t, nil, idA, "127.0.0.1:0", func(c *gossip.Config) { c.Timings.Stream = time.Minute })
	conns := make([]net.Conn, 128)
	for i := range conns {
		conn, err := net.Dial("tcp", a.Addr())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		conns[i] = conn
	}
	late, err := net.Dial("tcp", a.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer late.Close()
	expectClosed(t, late)
	began := time.Now()
	a.crash()
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("ended after %v with idle streams open", took)
	}
	for _, conn := range conns {
		expectClosed(t, conn)
	}
}

func expectClosed(t *testing.T, conn net.Conn) {
	t.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := conn.Read(make([]byte, 1)); err == nil || os.IsTimeout(err) {
		t.Errorf("connection is still open: %v", err)
	}
}

func TestAddressInUse(t *testing.T) {
	a := start(t, nil, idA, "127.0.0.1:0", nil)
	g := configured(t, func(c *gossip.Config) { c.Bind = a.Addr() })
	if err := g.Run(t.Context()); err == nil {
		t.Error("bound twice")
	}
	if _, err := g.Join(t.Context(), []string{a.Addr()}); err == nil {
		t.Error("joined without having begun")
	}
}
