package cert_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"net"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/agent/cert"
)

func leaf(t *testing.T, i cert.Issued) *x509.Certificate {
	t.Helper()
	pair, err := i.Pair()
	if err != nil {
		t.Fatal(err)
	}
	return pair.Leaf
}

// TestWhatIsIssued reads an authority and certificates back.
func TestWhatIsIssued(t *testing.T) {
	p := newPlace(t)
	ca := leaf(t, p.authority("ca"))
	if !ca.IsCA || !ca.MaxPathLenZero || ca.KeyUsage&x509.KeyUsageCertSign == 0 {
		t.Errorf("the authority is none: CA %v, path length zero %v, usage %b", ca.IsCA, ca.MaxPathLenZero, ca.KeyUsage)
	}
	peer := leaf(t, p.issue("ca", "a", func(q *cert.Request) {
		q.DNS, q.IPs = []string{"muster.example.com"}, []net.IP{net.IPv4(10, 0, 0, 1)}
	}))
	client := leaf(t, p.issue("ca", "c", func(q *cert.Request) { q.Peer = false }))
	type facts struct {
		Name  string
		DNS   []string
		IPs   []string
		Uses  []x509.ExtKeyUsage
		Ends  time.Time
		CA    bool
		Curve bool
	}
	of := func(c *x509.Certificate) facts {
		f := facts{Name: c.Subject.CommonName, DNS: c.DNSNames, Uses: c.ExtKeyUsage, Ends: c.NotAfter, CA: c.IsCA}
		for _, ip := range c.IPAddresses {
			f.IPs = append(f.IPs, ip.String())
		}
		key, ok := c.PublicKey.(*ecdsa.PublicKey)
		f.Curve = ok && key.Curve == elliptic.P256()
		return f
	}
	want := []facts{
		{
			Name: "a.peer.muster.muster", DNS: []string{"peer.muster.muster", "localhost", "muster.example.com"},
			IPs:  []string{"127.0.0.1", "::1", "10.0.0.1"},
			Uses: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}, Ends: today.Add(year), Curve: true,
		},
		{
			Name: "c.client.muster.muster", DNS: []string{"client.muster.muster"},
			Uses: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, Ends: today.Add(year), Curve: true,
		},
	}
	if d := cmp.Diff(want, []facts{of(peer), of(client)}); d != "" {
		t.Error(d)
	}
	if peer.SerialNumber.Cmp(client.SerialNumber) == 0 {
		t.Error("two certificates have one serial number")
	}
}

// TestAuthorityIsJudged signs with what cannot sign.
func TestAuthorityIsJudged(t *testing.T) {
	p := newPlace(t)
	p.authority("ca")
	p.issue("ca", "a", nil)
	_, err := cert.OpenAuthority(p.path("a.pem"), p.path("a-key.pem"), today)
	wants(t, err, "a.pem", "no authority", "muster tls ca create")
	_, err = cert.OpenAuthority(p.path("ca.pem"), p.path("a-key.pem"), today)
	wants(t, err, "a-key.pem", "not the key")
	_, err = cert.OpenAuthority(p.path("ca.pem"), p.path("ca-key.pem"), today.Add(10*year))
	wants(t, err, "ca.pem", "ended", "muster tls ca create")
	a, err := cert.OpenAuthority(p.path("ca.pem"), p.path("ca-key.pem"), today)
	if err != nil {
		t.Fatal(err)
	}
	_, err = a.Issue(cert.Request{Group: "muster", Peer: true, Now: today, Lasts: 10 * year})
	wants(t, err, "its authority ends 2035")
	_, err = a.Issue(cert.Request{Group: "a b", Peer: true, Now: today, Lasts: year})
	wants(t, err, `"a b"`)
	_, err = a.Issue(cert.Request{Group: "muster", Peer: true, Now: today})
	wants(t, err, "must last")
}
