package consul_test

import (
	"encoding/json"
	"errors"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/musterhq/muster/discovery"
	"github.com/musterhq/muster/discovery/consul"
	"github.com/musterhq/muster/fsm"
)

// server is a real Consul agent of its own.
type server struct {
	address string
	client  *api.Client
	tell    *http.Transport
}

// binary finds a consul to run: MUSTER_CONSUL, PATH, or what scripts/consul.sh leaves in the checkout.
func binary(t *testing.T) string {
	t.Helper()
	if path := os.Getenv("MUSTER_CONSUL"); path != "" {
		return path
	}
	if path, err := exec.LookPath("consul"); err == nil {
		return path
	}
	path, err := filepath.Abs("../../.cache/consul/usr/bin/consul")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatal("there is no consul to test against: run scripts/consul.sh, or set MUSTER_CONSUL to its binary")
	}
	return path
}

// startServer runs a Consul until the test ends; more is laid over its configuration.
func startServer(t *testing.T, more map[string]any) *server {
	t.Helper()
	path := binary(t)
	ports := freePorts(t, 4)
	config := map[string]any{
		"bind_addr": "127.0.0.1", "log_level": "warn", "node_name": "host-1", "disable_update_check": true,
		"ports": map[string]int{
			"http": ports[0], "serf_lan": ports[1], "serf_wan": ports[2], "server": ports[3], "dns": -1, "grpc": -1,
		},
	}
	maps.Copy(config, more)
	raw, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "consul.json")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(t.TempDir(), "consul.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	command := exec.Command(path, "agent", "-dev", "-config-format", "json", "-config-file", file)
	command.Stdout, command.Stderr = log, log
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		_ = command.Wait()
	}()
	s := &server{address: net.JoinHostPort("127.0.0.1", itoa(ports[0])), tell: &http.Transport{}}
	t.Cleanup(func() {
		s.tell.CloseIdleConnections()
		_ = command.Process.Kill()
		<-exited
	})
	s.client, err = api.NewClient(&api.Config{Address: s.address, Token: "root", HttpClient: &http.Client{Transport: s.tell}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.ready(t, exited); err != nil {
		t.Fatalf("consul is not ready: %v; see %s", err, log.Name())
	}
	return s
}

// ready waits until the agent has a leader and is in its catalog.
func (s *server) ready(t *testing.T, exited <-chan struct{}) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	for {
		list, meta, err := s.client.Catalog().Services((&api.QueryOptions{}).WithContext(t.Context()))
		if err == nil && meta.KnownLeader && len(list) > 0 {
			return nil
		}
		select {
		case <-tick.C:
		case <-exited:
			return errors.New("it exited")
		case <-deadline.C:
			return os.ErrDeadlineExceeded
		}
	}
}

func freePorts(t *testing.T, n int) []int {
	t.Helper()
	var ports []int
	var held []net.Listener // until all are known, so that they differ
	defer func() {
		for _, l := range held {
			l.Close()
		}
	}()
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, l)
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports
}

// register makes the agent have a service.
func (s *server) register(t *testing.T, r *api.AgentServiceRegistration) {
	t.Helper()
	if err := s.client.Agent().ServiceRegister(r); err != nil {
		t.Fatalf("register %s: %v", r.ID, err)
	}
}

func (s *server) deregister(t *testing.T, id string) {
	t.Helper()
	if err := s.client.Agent().ServiceDeregister(id); err != nil {
		t.Fatalf("deregister %s: %v", id, err)
	}
}

func (s *server) open(t *testing.T, config map[string]any) discovery.Backend {
	t.Helper()
	config["address"] = s.address
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
