package poll_test

import (
	"net"
	"net/netip"
	"testing"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh/poll"
)

func TestRules(t *testing.T) {
	loopback := poll.Rules{AllowLoopback: true}
	office := poll.Rules{Allow: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("127.0.0.2/32")}}
	ports := poll.Rules{Ports: []poll.PortRange{{Low: 8655, High: 8657}, {Low: 6379, High: 6379}}}
	own := poll.Rules{AllowLoopback: true, Own: []netip.AddrPort{
		netip.MustParseAddrPort("10.1.0.7:8650"), netip.MustParseAddrPort("0.0.0.0:8651"),
	}}
	careless := poll.Rules{AllowLoopback: true, Allow: []netip.Prefix{
		netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0"),
	}}
	for _, c := range []struct {
		rules   poll.Rules
		address string
		allowed bool
	}{
		{poll.Rules{}, "10.1.0.7:80", true},
		{poll.Rules{}, "[2001:db8::7]:80", true},
		{poll.Rules{}, "127.0.0.1:80", false},
		{poll.Rules{}, "[::1]:80", false},
		{poll.Rules{}, "[::ffff:127.0.0.1]:80", false},
		{poll.Rules{}, "[64:ff9b::7f00:1]:80", false},
		{loopback, "127.0.0.1:80", true},
		{loopback, "[::1]:80", true},
		{loopback, "[::ffff:127.0.0.1]:80", true},
		{loopback, "10.1.0.7:80", true},
		{office, "10.1.0.7:80", true},
		{office, "[::ffff:10.1.0.7]:80", true},
		{office, "10.2.0.7:80", false},
		{office, "[2001:db8::7]:80", false},
		{office, "127.0.0.2:80", true},
		{office, "127.0.0.1:80", false},
		{ports, "10.1.0.7:8655", true},
		{ports, "10.1.0.7:8657", true},
		{ports, "10.1.0.7:6379", true},
		{ports, "10.1.0.7:8658", false},
		{ports, "10.1.0.7:22", false},
		{own, "10.1.0.7:8650", false},
		{own, "10.1.0.8:8650", true},
		{own, "127.0.0.1:8651", false},
		{own, "[::1]:8651", false},
		{own, "127.0.0.1:8650", true},
		{careless, "10.1.0.7:80", true},
		{careless, "169.254.169.254:80", false},
		{careless, "[::ffff:169.254.169.254]:80", false},
		{careless, "[64:ff9b::a9fe:a9fe]:80", false},
		{careless, "[2002:a9fe:a9fe::1]:80", false},
		{careless, "[fe80::1]:80", false},
		{careless, "[fe80::1%lo]:80", false},
		{careless, "[fd00:ec2::254]:80", false},
		{careless, "100.100.100.200:80", false},
		{careless, "0.0.0.0:80", false},
		{careless, "0.1.2.3:80", false},
		{careless, "[::]:80", false},
		{careless, "224.0.0.1:80", false},
		{careless, "[ff02::1]:80", false},
		{careless, "255.255.255.255:80", false},
	} {
		err := c.rules.Check(netip.MustParseAddrPort(c.address))
		if c.allowed && err != nil {
			t.Errorf("%+v: %v", c.rules, err)
		}
		if !c.allowed {
			expectReason(t, err, fsm.ReasonForbidden)
		}
	}
}

// The rules hold for what a name resolves to, and are not asked about the name.
func TestDialJudgesTheResolvedAddress(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	for _, host := range []string{"localhost", "127.0.0.1", "::ffff:127.0.0.1", "0.0.0.0"} {
		_, err := poll.NewDialer(poll.Rules{}).Dial(t.Context(), "tcp", net.JoinHostPort(host, port))
		expectReason(t, err, fsm.ReasonForbidden)
	}
	conn, err := poll.NewDialer(poll.Rules{AllowLoopback: true}).Dial(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	for _, network := range []string{"udp", "unix"} {
		if _, err := poll.NewDialer(poll.Rules{AllowLoopback: true}).Dial(t.Context(), network, l.Addr().String()); err == nil {
			t.Errorf("%s was dialed", network)
		}
	}
}
