package consul_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/consul/api"

	"github.com/musterhq/muster/agent/consul"
	"github.com/musterhq/muster/discovery/consul/consultest"
)

func TestCheckTarget(t *testing.T) {
	for text, want := range map[string]string{
		"consul://muster": "", "consul://team/muster": "", "consul://muster?tag=a&tag=b&dc=east": "", "consul://my_muster": "",
		"consul://": "names no service", "consul://?tag=a": "names no service", "consul://muster:8500": "-consul-addr",
		"consul://me:pw@muster": "credentials", "consul://muster#x": "fragment", "consul://muster?x=1": "?tag= and ?dc= are known",
		"consul://muster?tag=": "empty ?tag=", "consul://muster?dc=a&dc=b": "?dc= twice", "consul://muster?%zz": "a query that is none",
		"http://muster": "not consul://",
	} {
		err := consul.CheckTarget(target(t, text))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "pw") {
			t.Errorf("%s: the error holds the password", text)
		}
	}
}

func TestConfigIsJudged(t *testing.T) {
	for _, c := range []struct {
		config consul.Config
		want   string
	}{
		{consul.Config{}, ""},
		{consul.Config{Address: "https://consul.example.com:8501", CAFile: "ca.pem", TokenFile: "token"}, ""},
		{consul.Config{Address: "127.0.0.1"}, "-consul-addr is not host:port, like 127.0.0.1:8500"},
		{consul.Config{Address: "http://me:pw@host:8500"}, "-consul-addr holds credentials"},
		{consul.Config{CertFile: "c.pem"}, "-consul-cert-file and -consul-key-file go together"},
		{consul.Config{Register: true, Service: "muster-2", Tags: []string{"prod", "voters"}, TTL: time.Minute}, ""},
		{consul.Config{Register: true, Service: "team/muster"}, `-consul-service "team/muster" is no name of DNS`},
		{consul.Config{Register: true, Service: "-muster"}, "is no name of DNS"},
		{consul.Config{Register: true, Service: strings.Repeat("m", 64)}, "is no name of DNS"},
		{consul.Config{Register: true, Tags: []string{"a", ""}}, `-consul-tag "" is not 1 to 255 bytes long`},
		{consul.Config{Register: true, Tags: []string{"leader"}}, `-consul-tag "leader" is a role`},
		{consul.Config{Register: true, TTL: time.Second}, "-consul-check-ttl 1s is shorter than 3s"},
		{consul.Config{Service: "other"}, "say -consul-register as well"},
		{consul.Config{Tags: []string{"a"}}, "say -consul-register as well"},
		{consul.Config{TTL: time.Minute}, "say -consul-register as well"},
		{consul.Config{Service: consul.DefaultService, TTL: consul.DefaultTTL}, ""},
	} {
		err := c.config.Validate()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%+v: got %v, want %q", c.config, err, c.want)
		}
	}
}

func TestTokensInTheClear(t *testing.T) {
	for address, want := range map[string]bool{
		"10.0.0.1:8500": true, "http://consul.test:8500": true, "http://[fd00::1]:8500": true,
		"127.0.0.1:8500": false, "http://localhost:8500": false, "[::1]:8500": false, "https://10.0.0.1:8501": false,
		"unix:///run/consul.sock": false, "": false,
	} {
		if got := (consul.Config{Address: address, TokenFile: "token"}).InTheClear(); got != want {
			t.Errorf("%q: %v, want %v", address, got, want)
		}
	}
	if (consul.Config{Address: "10.0.0.1:8500"}).InTheClear() {
		t.Error("there is no token that could")
	}
}

// TestFind finds instances of a real Consul with exactly the rights that are documented, and says what is wrong with less.
func TestFind(t *testing.T) {
	s := startServer(t)
	s.register(t, api.HealthCritical, api.AgentServiceRegistration{
		ID: "muster-1", Name: "muster", Address: "10.0.0.1", Port: 8650, Tags: []string{"voter", "a"},
		Meta: map[string]string{"gossip_addr": "10.0.0.1:9652"},
	})
	s.register(t, api.HealthPassing, api.AgentServiceRegistration{
		ID: "muster-2", Name: "muster", Address: "10.0.0.2", Port: 8650, Tags: []string{"voter"},
		TaggedAddresses: map[string]api.ServiceAddress{"gossip": {Address: "10.0.0.2", Port: 8652}},
	})
	s.register(t, api.HealthWarning, api.AgentServiceRegistration{ID: "muster-3", Name: "muster", Address: "10.0.0.3", Port: 7000})
	s.register(t, api.HealthPassing, api.AgentServiceRegistration{ID: "muster-4", Name: "muster"})
	s.register(t, api.HealthPassing, api.AgentServiceRegistration{ID: "other-1", Name: "other", Address: "10.0.0.9", Port: 1})

	enough := `service "muster" {policy = "read"} node_prefix "" {policy = "read"}`
	c := s.ask(t, s.Token(t, "enough", enough))
	for text, want := range map[string][]string{
		"consul://muster":                 {"10.0.0.2:8652", "127.0.0.1", "10.0.0.1:9652", "10.0.0.3:7000"},
		"consul://muster?tag=voter":       {"10.0.0.2:8652", "10.0.0.1:9652"},
		"consul://muster?tag=voter&tag=a": {"10.0.0.1:9652"},
		"consul://muster?dc=dc1&tag=a":    {"10.0.0.1:9652"},
	} {
		got, err := c.Find(t.Context(), target(t, text))
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", text, err, diff)
		}
	}

	nodeless := s.Token(t, "nodeless", `service "muster" {policy = "read"}`)
	serviceless := s.Token(t, "serviceless", `node_prefix "" {policy = "read"}`)
	for name, bad := range map[string]struct {
		token, target string
		says          []string
	}{
		"no token":   {"", "consul://muster", []string{"reading its own token", `service "SERVICE" {policy = "read"} node_prefix "" {policy = "read"}`}},
		"unknown":    {"11111111-2222-3333-4444-555555555555", "consul://muster", []string{"403"}},
		"no nodes":   {nodeless, "consul://muster", []string{s.Address, `node_prefix "" {policy = "read"}`}},
		"no service": {serviceless, "consul://muster", []string{`service "muster" {policy = "read"}`}},
		"no such":    {consultest.Root, "consul://mustard?tag=hot", []string{`no instance of service "mustard" with the tags ["hot"]`}},
		"nowhere":    {consultest.Root, "consul://muster?dc=moon", []string{"500", "datacenter"}},
	} {
		got, err := s.ask(t, bad.token).Find(t.Context(), target(t, bad.target))
		if err == nil || len(got) > 0 {
			t.Errorf("%s: found %v, %v", name, got, err)
			continue
		}
		for _, part := range bad.says {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: the error does not say %q: %v", name, part, err)
			}
		}
		if bad.token != "" && bad.token != consultest.Root && strings.Contains(err.Error(), bad.token) {
			t.Errorf("%s: the error holds the token", name)
		}
	}
}

// TestTokenIsReadAgain has the token replaced while the client lives.
func TestTokenIsReadAgain(t *testing.T) {
	s := startServer(t)
	s.register(t, api.HealthPassing, api.AgentServiceRegistration{ID: "muster-1", Name: "muster", Address: "10.0.0.1", Port: 8652})
	path := written(t, "11111111-2222-3333-4444-555555555555")
	c := made(t, consul.Config{Address: s.Address, TokenFile: path})
	if got, err := c.Find(t.Context(), target(t, "consul://muster")); err == nil {
		t.Fatalf("found %v with an unknown token", got)
	}
	if err := os.WriteFile(path, []byte(consultest.Root+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Find(t.Context(), target(t, "consul://muster")); err != nil || len(got) != 1 {
		t.Errorf("with the new token: %v, %v", got, err)
	}
}

// TestPartsAreErrors: an answer that ACLs cut short, or that nobody vouches for, is not taken for the whole.
func TestPartsAreErrors(t *testing.T) {
	const row = `[{"Node": {"Address": "10.0.0.1"}, "Service": {"Address": "10.0.0.1", "Port": 8652}, "Checks": []}]`
	for name, c := range map[string]struct {
		header map[string]string
		want   string // "": it is whole
	}{
		"whole":     {map[string]string{"X-Consul-KnownLeader": "true"}, ""},
		"filtered":  {map[string]string{"X-Consul-KnownLeader": "true", "X-Consul-Results-Filtered-By-ACLs": "true"}, "want of rights"},
		"no leader": {nil, "without a known leader"},
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, "/v1/acl/") {
				w.WriteHeader(http.StatusUnauthorized)
				fmt.Fprint(w, "ACL support disabled")
				return
			}
			w.Header().Set("X-Consul-LastContact", "0")
			for k, v := range c.header {
				w.Header().Set(k, v)
			}
			fmt.Fprint(w, row)
		}))
		t.Cleanup(s.Close)
		got, err := made(t, consul.Config{Address: s.URL}).Find(t.Context(), target(t, "consul://muster"))
		if c.want == "" && (err != nil || len(got) != 1) || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, %v; want %q", name, got, err, c.want)
		}
	}
}
