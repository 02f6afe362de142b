package agent

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// TestAdvertised: what others are told follows from what is listened on and what is said.
func TestAdvertised(t *testing.T) {
	for _, c := range []struct {
		listens string
		said    Advertise
		http    string
		peer    string
		gossip  string
	}{
		{"10.0.0.1", Advertise{}, "10.0.0.1:8650", "10.0.0.1:8651", "10.0.0.1:8652"},
		{"0.0.0.0", Advertise{Address: "10.0.0.1"}, "10.0.0.1:8650", "10.0.0.1:8651", "10.0.0.1:8652"},
		{"[::]", Advertise{Address: "2001:db8::1"}, "[2001:db8::1]:8650", "[2001:db8::1]:8651", "[2001:db8::1]:8652"},
		{
			"0.0.0.0",
			Advertise{Address: "[2001:db8::1]", HTTP: "muster.example.com", Gossip: "10.0.0.9"},
			"muster.example.com:8650", "[2001:db8::1]:8651", "10.0.0.9:8652",
		},
		{
			"0.0.0.0",
			Advertise{HTTP: "a.example.com:443", Peer: "b.example.com:9651", Gossip: "10.0.0.1:9652"},
			"a.example.com:443", "b.example.com:9651", "10.0.0.1:9652",
		},
	} {
		cfg := goodConfig()
		cfg.HTTPAddr, cfg.PeerAddr, cfg.GossipAddr = c.listens+":8650", c.listens+":8651", c.listens+":8652"
		cfg.Insecure, cfg.Advertise = true, c.said
		if err := cfg.Validate(); err != nil {
			t.Errorf("%+v: %v", c, err)
		}
		got := []string{cfg.outwardHTTP().String(), cfg.outwardPeer().String(), cfg.outwardGossip().String()}
		if want := []string{c.http, c.peer, c.gossip}; !slices.Equal(got, want) {
			t.Errorf("%s with %+v is told as %q, wanted %q", c.listens, c.said, got, want)
		}
	}
}

// TestAPIThatListensEverywhere is told where the peer port is, unless nobody else gets there.
func TestAPIThatListensEverywhere(t *testing.T) {
	for peer, want := range map[string]string{"10.0.0.1:8651": "10.0.0.1:8650", "peer-a:8651": "peer-a:8650", "127.0.0.1:8651": "0.0.0.0:8650"} {
		cfg := goodConfig()
		cfg.Insecure, cfg.HTTPAddr, cfg.PeerAddr = true, "0.0.0.0:8650", peer
		if err := cfg.Validate(); err != nil {
			t.Error(err)
		}
		if got := cfg.outwardHTTP().String(); got != want {
			t.Errorf("with the peer port at %s it is told at %s, wanted %s", peer, got, want)
		}
	}
}

// TestUselessAddressesAreRefused: what nobody else could use is told with its option and what would be right.
func TestUselessAddressesAreRefused(t *testing.T) {
	for _, c := range []struct {
		said Advertise
		want string
	}{
		{Advertise{Address: "0.0.0.0"}, `-advertise "0.0.0.0" is not the address of one machine`},
		{Advertise{Address: "::"}, "is not the address of one machine"},
		{Advertise{Address: "224.0.0.1"}, "is not the address of one machine"},
		{Advertise{Address: "255.255.255.255"}, "is not the address of one machine"},
		{Advertise{Address: "fe80::1%eth0"}, "has a zone"},
		{Advertise{Address: "127.0.0.1"}, "is on loopback, where others would ask themselves, and -http-addr 10.0.0.1:8650 is not"},
		{Advertise{Address: "10.0.0.1:8651"}, "holds a port: those are said with -advertise-http"},
		{Advertise{Address: "peer-a"}, `-advertise "peer-a" is no IP address; names may be said with -advertise-http and -advertise-peer`},
		{Advertise{Gossip: "peer-a:8652"}, `-advertise-gossip "peer-a:8652" is no IP address, which gossip needs`},
		{Advertise{HTTP: "https://peer-a"}, `-advertise-http "https://peer-a" is neither HOST nor HOST:PORT`},
		{Advertise{Peer: "10.0.0.1:0"}, `-advertise-peer "10.0.0.1:0" has no port`},
		{Advertise{Peer: "10.0.0.1:x"}, `has the port "x"`},
		{Advertise{Peer: "10.0.0.1:70000"}, `has the port "70000"`},
		{Advertise{Peer: "localhost"}, "is on loopback"},
		{Advertise{Peer: ":8651"}, "is neither HOST nor HOST:PORT"},
	} {
		cfg := goodConfig()
		cfg.HTTPAddr, cfg.PeerAddr, cfg.GossipAddr = "10.0.0.1:8650", "10.0.0.1:8651", "10.0.0.1:8652"
		cfg.Insecure, cfg.Advertise = true, c.said
		if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "10.0.0.1") {
			t.Errorf("%+v: %v; want %q", c.said, err, c.want)
		}
	}
	cfg := goodConfig()
	cfg.Insecure, cfg.GossipAddr, cfg.Advertise.Gossip = true, "0.0.0.0:0", "10.0.0.1"
	if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), "that of -gossip-addr 0.0.0.0:0 is not known before") {
		t.Errorf("a port that is not known yet: %v", err)
	}
}

// TestWhatIsAdvertisedIsProtected: an address off loopback that leads to loopback is one off loopback. Gossip that is let in from
// some networks alone has to be told of one there.
func TestWhatIsAdvertisedIsProtected(t *testing.T) {
	cfg := goodConfig()
	cfg.Advertise.HTTP = "muster.example.com:443"
	if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), "-advertise-http muster.example.com:443 is not on loopback") {
		t.Errorf("an API that others reach: %v", err)
	}
	cfg.Insecure = true
	if err := cfg.Validate(); err != nil {
		t.Error(err)
	}
	cfg.Advertise, cfg.GossipAllow = Advertise{Gossip: "203.0.113.1"}, []string{"127.0.0.0/8"}
	if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), "does not hold this peer's own -advertise-gossip 203.0.113.1:8652") {
		t.Errorf("gossip from elsewhere: %v", err)
	}
}

// TestPeersAreReachedWhereTheySay has peers listen where no other one looks: they are dialed at what they advertise alone, and found
// their group there.
func TestPeersAreReachedWhereTheySay(t *testing.T) {
	inEmptyBubble(t, func(t *testing.T, w *world) {
		inside := map[string]string{} // by what is advertised
		for i, outside := range []string{"127.0.9.1:9651", "127.0.9.2:9651", "127.0.9.3:9651"} {
			p := w.add("peer-" + string(rune('a'+i)))
			inside[outside] = p.host + ":8651"
			p.change = func(c *Config) {
				dial := c.Seams.PeerDial
				c.Advertise = Advertise{Peer: outside, HTTP: "muster.example.com:443"}
				c.Insecure = true
				c.Seams.PeerDial = func(ctx context.Context, network, address string) (net.Conn, error) {
					to, known := inside[address]
					if !known {
						t.Errorf("%s was dialed", address)
					}
					return dial(ctx, network, to)
				}
			}
		}
		for _, p := range w.peers {
			p.start(func(c *Config) { c.BootstrapExpect = 3 })
		}
		for _, p := range w.peers {
			p.await("all peers' rows", rows(3))
			for _, m := range (membersFace{p.Agent}).Members() {
				if inside[m.Address] == "" || m.HTTPAddress != "muster.example.com:443" {
					t.Errorf("%s shows %s at %s and %s", p.name, m.Name, m.Address, m.HTTPAddress)
				}
			}
			if said := p.said.with("others are told of other addresses", "127.0.9.", "muster.example.com:443"); len(said) != 1 {
				t.Errorf("%s logs %q", p.name, said)
			}
			if at := (raftFace{p.Agent}).Leader(); inside[at] == "" {
				t.Errorf("%s finds the leader at %s", p.name, at)
			}
			for host, want := range map[string]int{"muster.example.com": http.StatusOK, "evil.example.com": http.StatusForbidden} {
				if got := w.asks(p, host); got != want {
					t.Errorf("%s is answered %d where it is asked for as %s", p.name, got, host)
				}
			}
		}
		w.agree()
	})
}

// asks is the status by which a peer answers at its API's address to who asks for a host.
func (w *world) asks(p *peer, host string) int {
	w.t.Helper()
	way := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return w.net.DialFrom(p.host)(ctx, network, p.host+":8650")
	}}
	res, err := (&http.Client{Transport: way}).Get("http://" + host + "/livez")
	if err != nil {
		w.t.Fatal(err)
	}
	res.Body.Close()
	return res.StatusCode
}

// TestGossipIsToldElsewhere runs a peer on real sockets: what it tells of its gossip is what it was told to.
func TestGossipIsToldElsewhere(t *testing.T) {
	reg := prometheus.NewRegistry()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	a, err := New(ctx, Config{
		Dev: true, Name: "peer-a", HTTPAddr: "127.0.0.1:0", PeerAddr: "127.0.0.1:0", GossipAddr: "127.0.0.1:0",
		Advertise: Advertise{Gossip: "127.0.0.9:7777"}, Log: slog.New(slog.DiscardHandler), Registerer: reg, Gatherer: reg,
	})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	<-a.gossip.Ready()
	if got := a.GossipAddr(); got != "127.0.0.9:7777" {
		t.Errorf("it tells %s", got)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestAdvertisedIsNotAsked has a source list what the peer itself advertises, which leads back to it.
func TestAdvertisedIsNotAsked(t *testing.T) {
	a := &Agent{cfg: Config{
		HTTPAddr: "0.0.0.0:8650", PeerAddr: "0.0.0.0:8651", GossipAddr: "0.0.0.0:8652",
		Advertise: Advertise{Address: "203.0.113.7", HTTP: "muster.example.com", Gossip: "203.0.113.8:9652"},
	}}
	var own []string
	for _, at := range a.listeners() {
		own = append(own, at.String())
	}
	for _, want := range []string{"203.0.113.7:8651", "203.0.113.8:9652"} {
		if !slices.Contains(own, want) {
			t.Errorf("%s may be asked: own are %q", want, own)
		}
	}
}
