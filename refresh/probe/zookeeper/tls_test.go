package zookeeper_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh/probe/probetest"
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

// issue writes NAME.pem, NAME-key.pem and both together as NAME-pair.pem.
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
	cert := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	secret := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs}))
	write(t, filepath.Join(a.dir, name+".pem"), cert)
	write(t, filepath.Join(a.dir, name+"-key.pem"), secret)
	write(t, filepath.Join(a.dir, name+"-pair.pem"), secret+cert)
	return key
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
	port := probetest.FreePort(t)
	s := plan(t, []string{"a"}, "secureClientPort="+strconv.Itoa(port),
		"ssl.keyStore.location="+in("server-pair.pem"), "ssl.keyStore.type=PEM",
		"ssl.trustStore.location="+in("ca.pem"), "ssl.trustStore.type=PEM")[0]
	s.Start(t)
	s.Await(t, "bound to port "+strconv.Itoa(port))
	plain, secure := s.target, s.target
	secure.Port = port

	mine := `,"tls_cert_file":"` + in("muster.pem") + `","tls_key_file":"` + in("muster-key.pem") + `"}`
	trusting := func(name string) string { return `{"tls":true,"tls_ca_file":"` + in(name) + `"` }
	for name, c := range map[string]struct {
		config, reason, detail string
	}{
		"right":           {trusting("ca.pem") + mine, "", ""},
		"wrong authority": {trusting("other.pem") + mine, fsm.ReasonTLS, "unknown authority"},
		"no authority":    {`{"tls":true` + mine, fsm.ReasonTLS, "unknown authority"},
		"another's name":  {trusting("ca.pem") + `,"tls_server_name":"zk.example"` + mine, fsm.ReasonTLS, "match zk.example"},
		"no certificate":  {trusting("ca.pem") + "}", fsm.ReasonTLS, "the server refused"},
		"missing file":    {trusting("nowhere.pem") + "}", fsm.ReasonTLS, "tls_ca_file"},
	} {
		t.Run(name, func(t *testing.T) {
			p := start(t, fsm.JSON(c.config), loopback())
			for range 2 {
				if r := p.Probe(t.Context(), secure); r.Reason != c.reason || r.Reachable != (c.reason == "") ||
					!strings.Contains(r.Detail, c.detail) {
					t.Errorf("report is %+v, wanted is the reason %q with %q", r, c.reason, c.detail)
				}
			}
		})
	}
	if r := start(t, "", loopback()).Probe(t.Context(), plain); !r.Reachable {
		t.Errorf("without TLS: report is %+v", r)
	}
}
