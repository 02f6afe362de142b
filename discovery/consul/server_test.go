package consul_test

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/musterhq/muster/discovery"
	"github.com/musterhq/muster/discovery/consul"
	"github.com/musterhq/muster/discovery/consul/consultest"
	"github.com/musterhq/muster/fsm"
)

// server is a real Consul.
type server struct{ *consultest.Server }

// open makes a backend that reads it, from config laid over its address.
func (s server) open(t *testing.T, config map[string]any) discovery.Backend {
	t.Helper()
	config["address"] = s.Address
	raw, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	b, err := consul.NewPool().Make(fsm.JSON(raw), discovery.Env{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.(interface{ Close() error }).Close() })
	return b
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
