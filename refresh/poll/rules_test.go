package poll_test

import (
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh/poll"
)

func TestRules(t *testing.T) {
	loopback := poll.Rules{AllowLoopback: true}
	office := poll.Rules{Allow: ranges(t, "10.1.0.0/16", "127.0.0.2")}
	ports := poll.Rules{Allow: ranges(t, "*:8655-8657,6379")}
	neighbours := poll.Rules{Allow: ranges(t, "127.0.0.1:8500", "169.254.7.0/24:8655", "fe80::/10")}
	mailless := poll.Rules{Allow: ranges(t, "10.0.0.0/8", "127.0.0.1"), Deny: ranges(t, "*:22,25", "10.2.0.0/16", "2001:db8::/32")}
	cloud := poll.Rules{Allow: ranges(t, "169.254.169.254:80", "100.100.100.200")}
	own := poll.Rules{AllowLoopback: true, Own: []netip.AddrPort{
		netip.MustParseAddrPort("10.1.0.7:8650"), netip.MustParseAddrPort("0.0.0.0:8651"),
	}}
	open := own
	open.Allow = ranges(t, "10.1.0.7:8650", "127.0.0.1:8651")
	half := poll.Rules{Allow: ranges(t, "127.0.0.1:8651"), Own: own.Own}
	careless := poll.Rules{AllowLoopback: true, Allow: ranges(t, "0.0.0.0/0", "::/0", "*"), Own: own.Own}
	lax := poll.Rules{Allow: ranges(t, "169.254.0.0/16", "fe80::/10", "0.0.0.0/8", "224.0.0.0/4", "255.255.255.255", "126.0.0.0/7")}
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
		{own, "[::ffff:10.1.0.7]:8650", false},
		{open, "10.1.0.7:8650", true},
		{open, "127.0.0.1:8651", true},
		{open, "127.0.0.2:8651", false},
		{open, "10.1.0.8:80", true},
		{half, "127.0.0.1:8651", true},
		{half, "127.0.0.1:8652", false},
		{neighbours, "127.0.0.1:8500", true},
		{neighbours, "[::ffff:127.0.0.1]:8500", true},
		{neighbours, "127.0.0.1:8501", false},
		{neighbours, "[::1]:8500", false},
		{neighbours, "169.254.7.9:8655", true},
		{neighbours, "169.254.8.9:8655", false},
		{neighbours, "[fe80::1%lo]:80", true},
		{neighbours, "[fe80::a9fe:a9fe]:80", false},
		{neighbours, "10.1.0.7:80", true},
		{mailless, "10.1.0.7:80", true},
		{mailless, "10.1.0.7:22", false},
		{mailless, "10.1.0.7:25", false},
		{mailless, "10.2.0.7:80", false},
		{mailless, "127.0.0.1:80", true},
		{mailless, "127.0.0.1:22", false},
		{mailless, "[2001:db8::7]:80", false},
		{mailless, "11.0.0.1:80", false},
		{cloud, "169.254.169.254:80", true},
		{cloud, "169.254.169.254:81", false},
		{cloud, "100.100.100.200:80", true},
		{cloud, "169.254.169.253:80", false},
		{cloud, "10.1.0.7:80", true},
		{careless, "10.1.0.7:8650", false},
		{lax, "169.254.169.254:80", false},
		{lax, "169.254.170.2:80", false},
		{lax, "169.254.1.1:80", true},
		{lax, "127.0.0.1:80", false},
		{lax, "0.0.0.0:80", false},
		{lax, "224.0.0.1:80", false},
		{lax, "255.255.255.255:80", false},
		{careless, "10.1.0.7:80", true},
		{careless, "169.254.169.254:80", false},
		{careless, "[::ffff:169.254.169.254]:80", false},
		{careless, "[64:ff9b::a9fe:a9fe]:80", false},
		{careless, "[2002:a9fe:a9fe::1]:80", false},
		{careless, "[64:ff9b:1::a9fe:a9fe]:80", false},
		{careless, "[::ffff:0:169.254.169.254]:80", false},
		{careless, "[64:ff9b:1::a01:7]:80", true},
		{careless, "[fe80::1]:80", false},
		{careless, "[fe80::1%lo]:80", false},
		{careless, "[fd00:ec2::254]:80", false},
		{careless, "[fd00:ec2::23]:80", false},
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

func ranges(t *testing.T, texts ...string) []poll.Range {
	t.Helper()
	out, err := poll.ParseRanges(texts)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestRangesAsTheyAreWritten(t *testing.T) {
	for text, want := range map[string]string{
		"*":                  "*",
		"*:22,8655-8657":     "*:22,8655-8657",
		"10.0.0.0/8":         "10.0.0.0/8",
		"10.0.0.0/8:6379":    "10.0.0.0/8:6379",
		"10.0.0.7":           "10.0.0.7/32",
		"10.0.0.7:22":        "10.0.0.7/32:22",
		"2001:db8::/32":      "2001:db8::/32",
		"[2001:db8::/32]:80": "[2001:db8::/32]:80",
		"[2001:db8::7]":      "2001:db8::7/128",
		"::1":                "::1/128",
	} {
		r, err := poll.ParseRange(text)
		if err != nil || r.String() != want {
			t.Errorf("%s: %s, %v", text, r, err)
		}
		if again, err := poll.ParseRange(r.String()); err != nil || again.String() != want {
			t.Errorf("%s again: %s, %v", r, again, err)
		}
	}
	for text, want := range map[string]string{
		"":                    "neither an address",
		"db1":                 "neither an address",
		"127.1":               "neither an address",
		"0x7f000001":          "neither an address",
		"fe80::1%lo":          "neither an address",
		"10.0.0.0/33":         "neither an address",
		"10.0.0.7/8":          "write 10.0.0.0/8",
		"::ffff:10.0.0.0/104": "IPv4 written as IPv6",
		"10.0.0.0/8:":         "no ports",
		"10.0.0.0/8:http":     "not a port",
		"10.0.0.0/8:0":        "not a port",
		"10.0.0.0/8:70000":    "not a port",
		"10.0.0.0/8:80,":      "not a port",
		"10.0.0.0/8:90-80":    "not a range",
		"[2001:db8::/32":      "not [NET]",
		"[2001:db8::/32]80":   "not [NET]",
	} {
		if r, err := poll.ParseRange(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %s, %v; want %q", text, r, err, want)
		}
	}
}
