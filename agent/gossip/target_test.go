package gossip_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/agent/gossip"
	"github.com/musterhq/muster/agent/gossip/gossiptest"
)

// book is a resolver whose entries may change.
type book struct {
	mu    sync.Mutex
	hosts map[string][]string
	srv   map[string][]string // host:port
}

func (b *book) write(change func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change()
}

func (b *book) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []netip.Addr
	for _, ip := range b.hosts[host] {
		out = append(out, netip.MustParseAddr(ip))
	}
	if len(out) == 0 {
		return nil, &net.DNSError{Err: "no such host", Name: host}
	}
	return out, nil
}

func (b *book) LookupSRV(_ context.Context, service, proto, name string) (string, []*net.SRV, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []*net.SRV
	for _, at := range b.srv[service+proto+name] {
		a := netip.MustParseAddrPort(at)
		out = append(out, &net.SRV{Target: a.Addr().String(), Port: a.Port()})
	}
	if len(out) == 0 {
		return "", nil, &net.DNSError{Err: "no such name", Name: name}
	}
	return name, out, nil
}

func TestCheckTarget(t *testing.T) {
	for text, want := range map[string]string{
		"10.0.0.1": "", "10.0.0.1:8652": "", "peers.example.com": "", "peers:1": "", "::1": "", "[::1]:8652": "",
		"_muster._tcp.example.com": "", "srv+muster.example.com": "",
		"": "wanted is HOST", "a b": "wanted is HOST", "user@host": "wanted is HOST", "host/path": "wanted is HOST",
		"host:0": "1 to 65535", "host:x": "1 to 65535", "host:65536": "1 to 65535",
		"_muster._tcp.example.com:8652": "hold the ports", "srv+": "stands alone",
		"http://host:8652": "http:// is not known",
	} {
		err := gossip.CheckTarget(text)
		switch {
		case want == "" && err != nil:
			t.Errorf("%q: %v", text, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), text)):
			t.Errorf("%q: got %v, want it to tell of %q", text, err, want)
		}
	}
}

func TestJoinLooksNamesUp(t *testing.T) {
	names := &book{
		hosts: map[string][]string{"peers": {"10.0.0.1", "10.0.0.2", "10.0.0.3"}, "me": {"10.0.0.1"}},
		srv:   map[string][]string{"_muster._tcp.test": {atB, atC}, "plain.test": {atA, atC}},
	}
	finders := map[string]gossip.Finder{"roll": func(_ context.Context, u *url.URL) ([]string, error) {
		if u.Host == "broken" {
			return nil, errors.New("the roll is burnt")
		}
		return []string{atA, "peers:8652", "no port:x"}, nil
	}}
	bubble(t, func(t *testing.T, n *gossiptest.Network) {
		a := start(t, n, idA, atA, func(c *gossip.Config) { c.Resolver, c.Finders = names, finders })
		start(t, n, idB, atB, nil)
		start(t, n, idC, atC, nil)
		for target, want := range map[string]struct {
			n     int
			error string
		}{
			"peers": {2, ""}, "_muster._tcp.test": {2, ""}, "srv+plain.test": {1, ""}, "roll://all": {2, "no port:x"},
			"me": {0, "join: me: leads to this peer's own address only"}, atA: {0, "own address only"},
			"nowhere": {0, "join: nowhere: lookup nowhere: no such host"}, "_a._b.test": {0, "no such name"},
			"roll://broken": {0, "join: roll://broken: the roll is burnt"}, "coal://x": {0, "coal:// is not known"},
		} {
			got, err := a.Join(t.Context(), []string{target})
			if got != want.n || (err == nil) != (want.error == "") || err != nil && !strings.Contains(err.Error(), want.error) {
				t.Errorf("%s: %d answered, %v; want %d, %q", target, got, err, want.n, want.error)
			}
		}
	})
}

// TestNamesAreLookedUpAtEachTry has names that lead nowhere at first, next to one that never answers.
func TestNamesAreLookedUpAtEachTry(t *testing.T) {
	names := &book{hosts: map[string][]string{}, srv: map[string][]string{}}
	finders := map[string]gossip.Finder{"mute": func(ctx context.Context, _ *url.URL) ([]string, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}}
	bubble(t, func(t *testing.T, n *gossiptest.Network) {
		a := start(t, n, idA, atA, func(c *gossip.Config) { c.Resolver, c.Finders = names, finders })
		a.keepJoining("mute://x", "_muster._tcp.test", "peers")
		<-time.After(time.Minute)
		alone := "mute://x: no answer within 5s"
		if got := a.log.count(alone); got != 1 {
			t.Errorf("%q is logged %d times\n%s", alone, got, a.log.buf.String())
		}
		start(t, n, idB, atB, nil)
		start(t, n, idC, atC, nil)
		names.write(func() { names.srv["_muster._tcp.test"] = []string{atB} })
		a.sees(map[string]gossip.Status{idB: gossip.Alive})
		<-time.After(time.Minute)
		names.write(func() { names.hosts["peers"] = []string{"10.0.0.3"} })
		a.sees(map[string]gossip.Status{idB: gossip.Alive, idC: gossip.Alive})
		<-time.After(time.Minute)
		got := map[string]int{}
		for _, text := range []string{"level=WARN msg=\"nobody can be found by this address", "msg=\"found again\" join=peers"} {
			got[text] = a.log.count(text)
		}
		want := map[string]int{"level=WARN msg=\"nobody can be found by this address": 2, "msg=\"found again\" join=peers": 1}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s\n%s", diff, a.log.buf.String())
		}
	})
}
