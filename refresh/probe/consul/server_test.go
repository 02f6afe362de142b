package consul_test

import (
	"context"
	"encoding/json"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/poll"
	"github.com/musterhq/muster/refresh/probe/consul"
	"github.com/musterhq/muster/refresh/probe/probetest"
)

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
	file := filepath.Join(t.TempDir(), "consul.json")
	if err := os.WriteFile(file, config, 0o600); err != nil {
		t.Fatal(err)
	}
	s := &server{
		address: net.JoinHostPort("127.0.0.1", strconv.Itoa(ports["http"])),
		Process: &probetest.Process{
			Path: probetest.Program(t, "MUSTER_CONSUL", "consul", "../../../.cache/consul/usr/bin/consul"),
			Args: []string{"agent", "-dev", "-config-format", "json", "-config-file", file},
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

// await waits, by Consul's own blocking queries, until an instance's checks say status.
func (s *server) await(t *testing.T, service, id, status string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for index := uint64(0); ; {
		all, meta, err := s.client.Health().Service(service, "", false, (&api.QueryOptions{WaitIndex: index}).WithContext(ctx))
		if err != nil {
			t.Fatalf("wait for %s to be %s: %v", id, status, err)
		}
		for _, e := range all {
			if e.Service.ID == id && e.Checks.AggregatedStatus() == status {
				return
			}
		}
		index = meta.LastIndex
	}
}

// register makes the agent have a service with a check that the test sets.
func (s *server) register(t *testing.T, r api.AgentServiceRegistration) {
	t.Helper()
	r.Check = &api.AgentServiceCheck{CheckID: "alive:" + r.ID, Name: "alive", TTL: "10m", Status: api.HealthPassing}
	if err := s.client.Agent().ServiceRegister(&r); err != nil {
		t.Fatalf("register %s: %v", r.ID, err)
	}
	s.await(t, r.Name, r.ID, api.HealthPassing)
}

// set sets the check of an instance.
func (s *server) set(t *testing.T, service, id, status string) {
	t.Helper()
	if err := s.client.Agent().UpdateTTL("alive:"+id, "disk at 99 %", status); err != nil {
		t.Fatalf("set %s: %v", id, err)
	}
	s.await(t, service, id, status)
}

// token makes a token with rights, and the file that holds it.
func (s *server) token(t *testing.T, name, rights string) string {
	t.Helper()
	if _, _, err := s.client.ACL().PolicyCreate(&api.ACLPolicy{Name: name, Rules: rights}, nil); err != nil {
		t.Fatal(err)
	}
	token, _, err := s.client.ACL().TokenCreate(&api.ACLToken{Policies: []*api.ACLTokenPolicyLink{{Name: name}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return token.SecretID
}

// open makes a prober from config laid over the address and a token.
func open(t *testing.T, address, token string, more map[string]any) refresh.ClusterProber {
	t.Helper()
	config := map[string]any{"address": address}
	if token != "" {
		config["token_env"] = token
	}
	maps.Copy(config, more)
	raw, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	asker, err := consul.New(fsm.JSON(raw), refresh.Env{
		Dial:           poll.NewDialer(poll.Rules{AllowLoopback: true}).Dial,
		Reveal:         func(s refresh.Secret) (string, error) { return s.Variable, nil }, // a token is its own name
		ConnectTimeout: 10 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(asker.Close)
	return asker.(refresh.ClusterProber)
}

// nodes are targets of one cluster.
func nodes(cluster string, ids ...string) []refresh.Target {
	targets := make([]refresh.Target, len(ids))
	for i, id := range ids {
		targets[i] = refresh.Target{Cluster: cluster, Node: id, Address: "10.0.0.7", Port: 5432}
	}
	return targets
}
