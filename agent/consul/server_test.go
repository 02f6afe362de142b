package consul_test

import (
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/hashicorp/consul/api"
	"go.uber.org/goleak"

	"github.com/musterhq/muster/agent/consul"
	"github.com/musterhq/muster/discovery"
	"github.com/musterhq/muster/refresh/probe/probetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const root = "root" // the token that may do everything

// server is a real Consul agent of its own, whose ACLs deny what no token allows.
type server struct {
	*probetest.Process
	address string
	client  *api.Client
}

func startServer(t *testing.T) *server {
	t.Helper()
	ports := map[string]int{"dns": -1, "grpc": -1}
	for _, name := range []string{"http", "serf_lan", "serf_wan", "server"} {
		ports[name] = probetest.FreePort(t)
	}
	config, err := json.Marshal(map[string]any{
		"bind_addr": "127.0.0.1", "node_name": "host-1", "disable_update_check": true, "ports": ports,
		"acl": map[string]any{
			"enabled": true, "default_policy": "deny", "tokens": map[string]string{"master": root, "agent": root},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	s := &server{
		address: net.JoinHostPort("127.0.0.1", strconv.Itoa(ports["http"])),
		Process: &probetest.Process{
			Path: probetest.Program(t, "MUSTER_CONSUL", "consul", "../../.cache/consul/usr/bin/consul"),
			Args: []string{"agent", "-dev", "-config-format", "json", "-config-file", written(t, string(config))},
		},
	}
	s.Start(t)
	s.Await(t, "Synced node info")
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	s.client, err = api.NewClient(&api.Config{Address: s.address, Token: root, HttpClient: &http.Client{Transport: transport}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// register makes the agent have an instance whose check has a status.
func (s *server) register(t *testing.T, status string, r api.AgentServiceRegistration) {
	t.Helper()
	r.Check = &api.AgentServiceCheck{TTL: "10m", Status: status}
	if err := s.client.Agent().ServiceRegister(&r); err != nil {
		t.Fatalf("register %s: %v", r.ID, err)
	}
}

// token makes a token with rights.
func (s *server) token(t *testing.T, name, rights string) string {
	t.Helper()
	policy, _, err := s.client.ACL().PolicyCreate(&api.ACLPolicy{Name: name, Rules: rights}, nil)
	if err != nil {
		t.Fatal(err)
	}
	token, _, err := s.client.ACL().TokenCreate(&api.ACLToken{Policies: []*api.ACLLink{{ID: policy.ID}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return token.SecretID
}

// ask makes a client with a token, or with none.
func (s *server) ask(t *testing.T, token string) *consul.Client {
	t.Helper()
	c := consul.Config{Address: s.address}
	if token != "" {
		c.TokenFile = written(t, token)
	}
	return made(t, c)
}

func made(t *testing.T, c consul.Config) *consul.Client {
	t.Helper()
	client, err := consul.New(c, discovery.Env{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

func written(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func target(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
