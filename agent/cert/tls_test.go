package cert_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"testing"
	"time"

	"github.com/musterhq/muster/agent/cert"
)

// caller is a client of TLS as somebody else would write it, with the certificate that was issued.
func caller(t *testing.T, authority cert.Issued, own *cert.Issued) *tls.Config {
	t.Helper()
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authority.Cert)
	conf := &tls.Config{
		RootCAs: pool, ServerName: "peer.muster.muster", NextProtos: []string{"p"},
		Time: func() time.Time { return today },
	}
	if own != nil {
		pair, err := own.Pair()
		if err != nil {
			t.Fatal(err)
		}
		// It is shown whatever authorities the server asks for.
		conf.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	}
	return conf
}

// TestPeerServerLetsInPeersAlone meets the port for peers with every kind of certificate.
func TestPeerServerLetsInPeersAlone(t *testing.T) {
	p := newPlace(t)
	ca, foreign := p.authority("ca"), p.authority("foreign")
	p.issue("ca", "a", nil)
	server := p.open("ca", "a").PeerServer("p")
	of := func(authority string, change func(*cert.Request)) *cert.Issued {
		i := p.issue(authority, "caller", change)
		return &i
	}
	for name, c := range map[string]struct {
		own    *cert.Issued
		change func(*tls.Config)
		good   bool
	}{
		"peer":           {of("ca", nil), nil, true},
		"none":           {nil, nil, false},
		"client":         {of("ca", func(q *cert.Request) { q.Peer = false }), nil, false},
		"other group":    {of("ca", func(q *cert.Request) { q.Group = "payments" }), nil, false},
		"foreign":        {of("foreign", nil), nil, false},
		"the authority":  {&ca, nil, false},
		"its own signer": {&foreign, nil, false},
		"ended":          {of("ca", func(q *cert.Request) { q.Now, q.Lasts = today.Add(-time.Hour), time.Minute }), nil, false},
		"not begun":      {of("ca", func(q *cert.Request) { q.Now = today.Add(time.Hour) }), nil, false},
		"wildcard": {of("ca", func(q *cert.Request) {
			q.Group, q.DNS = "payments", []string{"*.muster.muster"}
		}), nil, false},
		"client with a peer's name": {of("ca", func(q *cert.Request) {
			q.Peer, q.DNS = false, []string{"peer.muster.muster"}
		}), nil, false},
		"TLS 1.2":        {of("ca", nil), func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }, false},
		"other protocol": {of("ca", nil), func(c *tls.Config) { c.NextProtos = []string{"q"} }, false},
	} {
		t.Run(name, func(t *testing.T) {
			conf := caller(t, ca, c.own)
			if c.change != nil {
				c.change(conf)
			}
			ofClient, ofServer := meet(t, conf, server)
			if c.good != (ofServer == nil) || c.good != (ofClient == nil) {
				t.Errorf("let in: %v, want %v (client: %v, server: %v)", ofServer == nil, c.good, ofClient, ofServer)
			}
		})
	}
}

// TestPeerClientTrustsPeersAlone calls servers with every kind of certificate.
func TestPeerClientTrustsPeersAlone(t *testing.T) {
	p := newPlace(t)
	p.authority("ca")
	p.authority("foreign")
	p.issue("ca", "a", nil)
	client := p.open("ca", "a")
	for name, c := range map[string]struct {
		authority string
		change    func(*cert.Request)
		good      bool
	}{
		"peer":        {"ca", nil, true},
		"client":      {"ca", func(q *cert.Request) { q.Peer = false }, false},
		"other group": {"ca", func(q *cert.Request) { q.Group = "payments" }, false},
		"wildcard":    {"ca", func(q *cert.Request) { q.Group, q.DNS = "payments", []string{"*.muster.muster"} }, false},
		"foreign":     {"foreign", nil, false},
		"ended":       {"ca", func(q *cert.Request) { q.Now, q.Lasts = today.Add(-time.Hour), time.Minute }, false},
	} {
		t.Run(name, func(t *testing.T) {
			i := p.issue(c.authority, "server", c.change)
			own, err := i.Pair()
			if err != nil {
				t.Fatal(err)
			}
			server := &tls.Config{Certificates: []tls.Certificate{own}, NextProtos: []string{"p"}}
			ofClient, _ := meet(t, client.PeerClient("p"), server)
			if c.good != (ofClient == nil) {
				t.Errorf("trusted: %v, want %v (%v)", ofClient == nil, c.good, ofClient)
			}
			if name == "wildcard" && !errors.Is(ofClient, cert.ErrNotPeer) {
				t.Errorf("the error is %v, want ErrNotPeer", ofClient)
			}
		})
	}
}

// TestAPIServer asks the API with and without certificates, where it wants one and where it does not.
func TestAPIServer(t *testing.T) {
	p := newPlace(t)
	ca := p.authority("ca")
	p.authority("foreign")
	p.issue("ca", "a", nil)
	certs := p.open("ca", "a")
	client := p.issue("ca", "client", func(q *cert.Request) { q.Peer = false })
	stranger := p.issue("foreign", "stranger", func(q *cert.Request) { q.Peer = false })
	for name, c := range map[string]struct {
		verify, good bool
		own          *cert.Issued
	}{
		"none wanted, none shown": {false, true, nil},
		"none wanted, one shown":  {false, true, &stranger},
		"wanted, none shown":      {true, false, nil},
		"wanted and shown":        {true, true, &client},
		"wanted, foreign shown":   {true, false, &stranger},
	} {
		t.Run(name, func(t *testing.T) {
			conf := caller(t, ca, c.own)
			conf.ServerName, conf.NextProtos = "localhost", []string{"h2", "http/1.1"}
			ofClient, ofServer := meet(t, conf, certs.APIServer(c.verify))
			if c.good != (ofServer == nil) || c.good != (ofClient == nil) {
				t.Errorf("let in: %v, want %v (client: %v, server: %v)", ofServer == nil, c.good, ofClient, ofServer)
			}
		})
	}
}

// TestNoSessionIsResumed calls twice, and then takes an authority away: who was let in before is not let in again.
func TestNoSessionIsResumed(t *testing.T) {
	p := newPlace(t)
	old := p.authority("old")
	p.authority("new")
	p.issue("old", "a", nil)
	certs := p.open("old", "a")
	i := p.issue("old", "caller", nil)
	conf := caller(t, old, &i)
	conf.ClientSessionCache = tls.NewLRUClientSessionCache(4)
	resumed := false
	conf.VerifyConnection = func(s tls.ConnectionState) error {
		resumed = s.DidResume
		return nil
	}
	server := certs.PeerServer("p")
	for range 2 {
		if _, err := meet(t, conf, server); err != nil {
			t.Fatal(err)
		}
	}
	if resumed {
		t.Error("a session was resumed")
	}
	p.issue("new", "a", nil)
	p.write("old.pem", []byte{}, p.read("new.pem"))
	if err := certs.Reload(); err != nil {
		t.Fatal(err)
	}
	conf.InsecureSkipVerify = true
	if _, err := meet(t, conf, server); err == nil {
		t.Error("a caller whose authority was taken away was let in")
	}
}
