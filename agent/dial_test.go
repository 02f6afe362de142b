package agent

import (
	"net"
	"net/netip"
	"strings"
	"testing"
)

// What probers may dial follows from where the peer listens and what it was told.
func TestDialRules(t *testing.T) {
	for name, c := range map[string]struct {
		peer, http string
		dial       DialRules
		to         string
		refused    string
	}{
		"neighbours of a peer on loopback": {peer: "127.0.0.1:8651", to: "127.0.0.1:6379"},
		"loopback from elsewhere":          {peer: "10.0.0.1:8651", to: "127.0.0.1:6379", refused: "loopback"},
		"loopback by name":                 {peer: "10.0.0.1:8651", dial: DialRules{Allow: []string{"127.0.0.1:6379"}}, to: "127.0.0.1:6379"},
		"what is denied":                   {peer: "127.0.0.1:8651", dial: DialRules{Deny: []string{"*:22"}}, to: "10.0.0.1:22", refused: "*:22"},
		"beside what is allowed": {
			peer: "10.0.0.1:8651", dial: DialRules{Allow: []string{"10.0.0.0/8"}}, to: "11.0.0.1:80", refused: "-dial-allow",
		},
		"its own peer port":        {peer: "10.0.0.1:8651", to: "10.0.0.1:8651", refused: "own"},
		"its own API":              {peer: "127.0.0.1:8651", http: "127.0.0.1:8650", to: "127.0.0.1:8650", refused: "own"},
		"its own API, everywhere":  {peer: "127.0.0.1:8651", http: "0.0.0.0:8650", to: "127.0.0.9:8650", refused: "own"},
		"its own API, as a number": {peer: "127.0.0.1:8651", http: "0.0.0.0:8650", to: mine(t) + ":8650", refused: "own"},
	} {
		a := &Agent{cfg: Config{PeerAddr: c.peer, HTTPAddr: c.http, Dial: c.dial}}
		rules, err := a.dialRules()
		if err != nil {
			t.Fatal(err)
		}
		err = rules.Check(netip.MustParseAddrPort(c.to))
		if c.refused == "" && err != nil || c.refused != "" && (err == nil || !strings.Contains(err.Error(), c.refused)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// mine is an address of this machine, off loopback where it has one.
func mine(t *testing.T) string {
	t.Helper()
	all, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	out := "127.0.0.1"
	for _, one := range all {
		if p, err := netip.ParsePrefix(one.String()); err == nil && p.Addr().Is4() {
			out = p.Addr().String()
		}
	}
	return out
}
