package consul_test

import (
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/hashicorp/consul/api"
	"go.uber.org/goleak"

	"github.com/musterhq/muster/agent/consul"
	"github.com/musterhq/muster/discovery"
	"github.com/musterhq/muster/discovery/consul/consultest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server is a real Consul, whose ACLs deny what no token allows.
type server struct{ *consultest.Server }

func startServer(t *testing.T) server {
	t.Helper()
	return server{consultest.Start(t, consultest.DenyByDefault())}
}

// register makes the agent have an instance whose check has a status.
func (s server) register(t *testing.T, status string, r api.AgentServiceRegistration) {
	t.Helper()
	r.Check = &api.AgentServiceCheck{TTL: "10m", Status: status}
	s.Register(t, r)
}

// ask makes a client with a token, or with none.
func (s server) ask(t *testing.T, token string) *consul.Client {
	t.Helper()
	c := consul.Config{Address: s.Address}
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
