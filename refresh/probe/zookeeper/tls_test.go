package zookeeper_test

import (
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh/probe/probetest"
)

func TestTLS(t *testing.T) {
	probetest.Real(t)
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	ca := probetest.NewAuthority(t)
	write(t, in("ca.pem"), ca.PEM)
	write(t, in("other.pem"), probetest.NewAuthority(t).PEM)
	server := ca.Issue(t, "127.0.0.1")
	write(t, in("server-pair.pem"), server.Key+server.Certificate)
	ca.Issue(t, "").Write(t, dir, "muster")
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
