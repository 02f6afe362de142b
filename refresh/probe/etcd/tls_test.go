package etcd_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

// authority writes certificates into a folder.
type authority struct {
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// newAuthority writes NAME.pem.
func newAuthority(t *testing.T, dir, name string) *authority {
	t.Helper()
	a := &authority{dir: dir}
	a.key = a.issue(t, name, &x509.Certificate{
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	})
	return a
}

// issue writes NAME.pem and NAME-key.pem.
func (a *authority) issue(t *testing.T, name string, template *x509.Certificate) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber, template.Subject.CommonName = big.NewInt(time.Now().UnixNano()), name
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert == nil {
		if a.cert, err = x509.ParseCertificate(der); err != nil {
			t.Fatal(err)
		}
	}
	pkcs, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	a.write(t, name+".pem", &pem.Block{Type: "CERTIFICATE", Bytes: der})
	a.write(t, name+"-key.pem", &pem.Block{Type: "PRIVATE KEY", Bytes: pkcs})
	return key
}

func (a *authority) write(t *testing.T, name string, block *pem.Block) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(a.dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestTLS(t *testing.T) {
	if testing.Short() {
		t.Skip("starts real servers")
	}
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	ca := newAuthority(t, dir, "ca")
	newAuthority(t, dir, "other")
	both := []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	ca.issue(t, "server", &x509.Certificate{ExtKeyUsage: both, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}})
	ca.issue(t, "muster", &x509.Certificate{ExtKeyUsage: both})
	secure := run(t, []string{"a"}, "--cert-file="+in("server.pem"), "--key-file="+in("server-key.pem"),
		"--trusted-ca-file="+in("ca.pem"), "--client-cert-auth")[0]
	plain := run(t, []string{"b"})[0]

	mine := `,"tls_cert_file":"` + in("muster.pem") + `","tls_key_file":"` + in("muster-key.pem") + `"}`
	trusting := func(name string) string { return `{"tls":true,"tls_ca_file":"` + in(name) + `"` }
	for name, c := range map[string]struct {
		config string
		member *member
		reason string
		detail string
	}{
		"right":           {trusting("ca.pem") + mine, secure, "", ""},
		"wrong authority": {trusting("other.pem") + mine, secure, fsm.ReasonTLS, "unknown authority"},
		"no authority":    {`{"tls":true` + mine, secure, fsm.ReasonTLS, "unknown authority"},
		"another's name":  {trusting("ca.pem") + `,"tls_server_name":"e.test"` + mine, secure, fsm.ReasonTLS, "match e.test"},
		"missing file":    {trusting("nowhere.pem") + "}", secure, fsm.ReasonTLS, "tls_ca_file"},
		"plain server":    {trusting("ca.pem") + mine, plain, fsm.ReasonTLS, "closed during the handshake"},
	} {
		t.Run(name, func(t *testing.T) {
			p := start(t, fsm.JSON(c.config), loopback())
			for range 2 {
				if r := p.Probe(t.Context(), c.member.target); r.Reason != c.reason || r.Reachable != (c.reason == "") ||
					!strings.Contains(r.Detail, c.detail) {
					t.Errorf("report is %+v, wanted is the reason %q with %q", r, c.reason, c.detail)
				}
			}
		})
	}
	// What it answers may be lost when it closes before all was sent; TestRefusedCertificate has the rest.
	r := start(t, fsm.JSON(trusting("ca.pem")+"}"), loopback()).Probe(t.Context(), secure.target)
	if r.Reachable || r.Reason != fsm.ReasonTLS && r.Reason != fsm.ReasonReset {
		t.Errorf("without a certificate: report is %+v", r)
	}
	if r := start(t, "", loopback()).Probe(t.Context(), secure.target); r.Reachable {
		t.Errorf("without TLS: report is %+v", r)
	}
}

func TestRefusedCertificate(t *testing.T) {
	dir := t.TempDir()
	ca := newAuthority(t, dir, "ca")
	ca.issue(t, "server", &x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}})
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "server.pem"), filepath.Join(dir, "server-key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		_ = tls.Server(conn, &tls.Config{
			Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAnyClientCert, NextProtos: []string{"h2"},
		}).HandshakeContext(t.Context())
		_, _ = io.Copy(io.Discard, conn) // closing first could take the refusal back
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	p := start(t, fsm.JSON(`{"tls":true,"tls_ca_file":"`+filepath.Join(dir, "ca.pem")+`"}`), loopback())
	there := refresh.Target{Node: "e1", Address: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port}
	r := p.Probe(t.Context(), there)
	if r.Reason != fsm.ReasonTLS || !strings.Contains(r.Detail, "the server refused: tls: certificate required") {
		t.Errorf("report is %+v", r)
	}
}
