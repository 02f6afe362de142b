// Package consultest runs real agents of Consul for tests.
package consultest

import (
	"encoding/json"
	"errors"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"
)

// Root is the token that may do everything.
const Root = "root"

// DenyByDefault is a setting in which callers may do what their tokens allow, and nothing else.
func DenyByDefault() map[string]any {
	return map[string]any{"acl": map[string]any{
		"enabled": true, "default_policy": "deny", "tokens": map[string]string{"master": Root, "agent": Root},
	}}
}

// Server is an agent of Consul by itself, which keeps nothing on disk: after Kill and Again it knows nothing of before. Its
// node is called host-1, its data centre dc1.
type Server struct {
	Address string      // of its API
	HTTPS   string      // the same over TLS, if settings say with which certificate
	Client  *api.Client // as Root

	file, log string
	transport *http.Transport
	mu        sync.Mutex
	end       func()
}

// Start runs an agent until the test ends; more is laid over its settings.
func Start(t testing.TB, more map[string]any) *Server {
	t.Helper()
	dir, ports := t.TempDir(), freePorts(t, 5)
	s := &Server{
		Address: net.JoinHostPort("127.0.0.1", strconv.Itoa(ports[0])), HTTPS: net.JoinHostPort("127.0.0.1", strconv.Itoa(ports[4])),
		file: filepath.Join(dir, "consul.json"), log: filepath.Join(dir, "consul.log"), transport: &http.Transport{},
	}
	config := map[string]any{
		"bind_addr": "127.0.0.1", "log_level": "warn", "node_name": "host-1", "disable_update_check": true,
		"ports": map[string]int{
			"http": ports[0], "serf_lan": ports[1], "serf_wan": ports[2], "server": ports[3], "https": -1, "dns": -1, "grpc": -1,
		},
	}
	maps.Copy(config, more)
	if _, secure := config["cert_file"]; secure {
		config["ports"].(map[string]int)["https"] = ports[4]
	}
	raw, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	s.Client, err = api.NewClient(&api.Config{Address: s.Address, Token: Root, HttpClient: &http.Client{Transport: s.transport}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Kill)
	s.Again(t)
	return s
}

// Again starts the agent once more after Kill, and returns when it has a leader and is in its catalog.
func (s *Server) Again(t testing.TB) {
	t.Helper()
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }() // the process has its own
	command := exec.Command(binary(t), "agent", "-dev", "-config-format", "json", "-config-file", s.file)
	command.Stdout, command.Stderr = log, log
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		_ = command.Wait()
	}()
	s.mu.Lock()
	s.end = func() {
		_ = command.Process.Kill()
		<-exited
	}
	s.mu.Unlock()
	if err := s.ready(exited); err != nil {
		said, _ := os.ReadFile(s.log)
		t.Fatalf("consul is not ready: %v; it said\n%s", err, said)
	}
}

// Kill ends the agent as a crash does.
func (s *Server) Kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.transport.CloseIdleConnections()
	if s.end != nil {
		s.end()
		s.end = nil
	}
}

// Rest closes the connections that the client keeps, for tests that count goroutines.
func (s *Server) Rest() { s.transport.CloseIdleConnections() }

func (s *Server) ready(exited <-chan struct{}) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	deadline := time.NewTimer(time.Minute)
	defer deadline.Stop()
	for {
		list, meta, err := s.Client.Catalog().Services(nil)
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

// Register makes the agent have an instance.
func (s *Server) Register(t testing.TB, r api.AgentServiceRegistration) {
	t.Helper()
	if err := s.Client.Agent().ServiceRegister(&r); err != nil {
		t.Fatalf("register %s: %v", r.ID, err)
	}
}

// Deregister takes an instance from it.
func (s *Server) Deregister(t testing.TB, id string) {
	t.Helper()
	if err := s.Client.Agent().ServiceDeregister(id); err != nil {
		t.Fatalf("deregister %s: %v", id, err)
	}
}

// Token makes a token with rights, the rules of a policy.
func (s *Server) Token(t testing.TB, name, rights string) string {
	t.Helper()
	policy, _, err := s.Client.ACL().PolicyCreate(&api.ACLPolicy{Name: name, Rules: rights}, nil)
	if err != nil {
		t.Fatal(err)
	}
	token, _, err := s.Client.ACL().TokenCreate(&api.ACLToken{Policies: []*api.ACLLink{{ID: policy.ID}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return token.SecretID
}

// binary finds a consul to run: MUSTER_CONSUL, PATH, or what scripts/consul.sh leaves in the checkout.
func binary(t testing.TB) string {
	t.Helper()
	if path := os.Getenv("MUSTER_CONSUL"); path != "" {
		return path
	}
	if path, err := exec.LookPath("consul"); err == nil {
		return path
	}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		path := filepath.Join(dir, ".cache", "consul", "usr", "bin", "consul")
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	t.Fatal("there is no consul to test against: run scripts/consul.sh, or set MUSTER_CONSUL to its binary")
	return ""
}

func freePorts(t testing.TB, n int) []int {
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
