package etcd_test

import (
	"crypto/tls"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe/probetest"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestTLS(t *testing.T) {
	probetest.Real(t)
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	ca := probetest.NewAuthority(t)
	write(t, in("ca.pem"), ca.PEM)
	write(t, in("other.pem"), probetest.NewAuthority(t).PEM)
	ca.Issue(t, "127.0.0.1").Write(t, dir, "server")
	ca.Issue(t, "").Write(t, dir, "muster")
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
	ca := probetest.NewAuthority(t)
	write(t, filepath.Join(dir, "ca.pem"), ca.PEM)
	pair, err := tls.LoadX509KeyPair(ca.Issue(t, "127.0.0.1").Write(t, dir, "server"))
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
