package memcached_test

import (
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe/probetest"
)

// server is a real memcached on a loopback port.
type server struct {
	*probetest.Process
	target refresh.Target
}

func run(t *testing.T, options ...string) *server {
	t.Helper()
	port := probetest.FreePort(t)
	s := &server{
		target: refresh.Target{Cluster: "pages", Node: "m1", Address: "127.0.0.1", Port: port},
		Process: &probetest.Process{
			Path: probetest.Program(t, "MUSTER_MEMCACHED", "memcached"),
			Args: append([]string{"-p", strconv.Itoa(port), "-l", "127.0.0.1", "-U", "0", "-u", "root", "-vv"}, options...),
		},
	}
	s.start(t)
	return s
}

func (s *server) start(t *testing.T) {
	t.Helper()
	s.Start(t)
	s.Await(t, "server listening")
}

func TestRealServer(t *testing.T) {
	probetest.Real(t)
	s := run(t, "-m", "100", "-t", "2", "-c", "256")
	p := start(t, "")
	r := p.Probe(t.Context(), s.target)
	want := map[string]string{"limit_maxbytes": "104857600", "max_connections": "256", "threads": "2"}
	if !r.Reachable || r.State != fsm.StateUp || r.Kind != "memcached" || !strings.HasPrefix(r.Version, "1.") ||
		len(r.Shards) != 0 || r.NodeID != "" || !maps.Equal(r.Attributes, want) {
		t.Errorf("report is %+v", r)
	}
	s.Kill()
	if r := p.Probe(t.Context(), s.target); r.Reason != fsm.ReasonRefused {
		t.Errorf("stopped: report is %+v", r)
	}
	s.start(t)
	for range 2 {
		if r := p.Probe(t.Context(), s.target); !r.Reachable {
			t.Errorf("restarted: report is %+v", r)
		}
	}
}

func TestRestartBetweenPolls(t *testing.T) {
	probetest.Real(t)
	s := run(t)
	p := start(t, "")
	for range 2 {
		if r := p.Probe(t.Context(), s.target); !r.Reachable {
			t.Errorf("report is %+v", r)
		}
		s.Kill()
		s.start(t)
	}
}

func TestRealLogin(t *testing.T) {
	probetest.Real(t)
	file := filepath.Join(t.TempDir(), "users")
	if err := os.WriteFile(file, []byte("muster:battery-staple\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := run(t, "-Y", file)
	for name, c := range map[string]struct {
		config fsm.JSON
		reason string
	}{
		"right":        {`{"username":"muster","password_file":"right"}`, ""},
		"environment":  {`{"username":"muster","password_env":"RIGHT"}`, ""},
		"none":         {"", fsm.ReasonAuth},
		"wrong":        {`{"username":"muster","password_file":"wrong"}`, fsm.ReasonAuth},
		"unknown user": {`{"username":"nobody","password_file":"right"}`, fsm.ReasonAuth},
		"missing file": {`{"username":"muster","password_file":"missing"}`, fsm.ReasonAuth},
	} {
		t.Run(name, func(t *testing.T) {
			p := start(t, c.config)
			for range 2 {
				r := p.Probe(t.Context(), s.target)
				if r.Reason != c.reason || r.Reachable != (c.reason == "") {
					t.Errorf("report is %+v, wanted is the reason %q", r, c.reason)
				}
				for _, secret := range secrets {
					if strings.Contains(r.Detail, secret) {
						t.Errorf("the report holds the password: %s", r.Detail)
					}
				}
			}
		})
	}
}

func TestRealTLS(t *testing.T) {
	probetest.Real(t)
	ca := probetest.NewAuthority(t)
	certificate, key := ca.Issue(t, "127.0.0.1").Write(t, t.TempDir(), "server")
	s := run(t, "-Z", "-o", "ssl_chain_cert="+certificate+",ssl_key="+key)
	secrets["ca.pem"] = ca.PEM
	defer delete(secrets, "ca.pem")
	p := start(t, `{"tls":true,"tls_ca_file":"ca.pem"}`)
	for range 2 {
		if r := p.Probe(t.Context(), s.target); !r.Reachable {
			t.Errorf("report is %+v", r)
		}
	}
	if r := start(t, `{"tls":true}`).Probe(t.Context(), s.target); r.Reason != fsm.ReasonTLS {
		t.Errorf("unknown authority: report is %+v", r)
	}
	if r := start(t, "").Probe(t.Context(), s.target); r.Reachable {
		t.Errorf("without TLS: report is %+v", r)
	}
}
