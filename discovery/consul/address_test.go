package consul_test

import (
	"encoding/json"
	"net"
	"net/http"
	"path/filepath"
	"testing"

	"github.com/musterhq/muster/discovery"
	"github.com/musterhq/muster/discovery/consul"
	"github.com/musterhq/muster/fsm"
)

func TestUnixSocket(t *testing.T) {
	f := startFake(t)
	f.set("orders", instance("orders", "orders-1", 1))
	path := filepath.Join(t.TempDir(), "consul.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: f}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(l)
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-done
	})
	config, err := json.Marshal(map[string]string{"address": "unix://" + path})
	if err != nil {
		t.Fatal(err)
	}
	b, err := consul.NewPool().Make(fsm.JSON(config), discovery.Env{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.(interface{ Close() error }).Close() })
	if got, err := b.Read(t.Context(), discovery.Want{}); err != nil || len(got) != 1 {
		t.Errorf("%d records, error %v; wanted one", len(got), err)
	}
}

// The variables of the peer fill in what a config does not say, and what it says wins.
func TestVariables(t *testing.T) {
	f := startFake(t)
	f.set("orders", instance("orders", "orders-1", 1))
	seen := map[string]bool{}
	f.breakWith(func(_ http.ResponseWriter, r *http.Request) bool {
		seen[r.Host+" "+r.Header.Get("X-Consul-Token")] = true
		return false
	})
	dir := t.TempDir()
	t.Setenv("CONSUL_HTTP_ADDR", "variable.test:8500")
	t.Setenv("CONSUL_HTTP_TOKEN", "from-variable")
	writeFile(t, filepath.Join(dir, "token"), "from-file\n")
	for config, want := range map[string]string{
		`{"concurrency": 1}`:                                                      "variable.test:8500 from-variable",
		`{"concurrency": 1, "address": "config.test:1"}`:                          "config.test:1 from-variable",
		`{"concurrency": 1, "token_file": "` + filepath.Join(dir, "token") + `"}`: "variable.test:8500 from-file",
	} {
		clear(seen)
		if _, err := f.open(t, config).Read(t.Context(), discovery.Want{}); err != nil {
			t.Fatal(err)
		}
		if len(seen) != 1 || !seen[want] {
			t.Errorf("config %s asks as %v; wanted %q", config, seen, want)
		}
	}
}
