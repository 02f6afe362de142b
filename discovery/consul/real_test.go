package consul_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/consul/api"

	"github.com/musterhq/muster/discovery"
	"github.com/musterhq/muster/discovery/backendtest"
	"github.com/musterhq/muster/discovery/consul/consultest"
	"github.com/musterhq/muster/fsm"
)

// sync makes a real agent have exactly these records as services.
func (s server) sync(t *testing.T, records []fsm.Record) {
	t.Helper()
	have, err := s.Client.Agent().Services()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{}
	for _, r := range records {
		want[r.Node] = true
		s.Register(t, api.AgentServiceRegistration{
			ID: r.Node, Name: r.Cluster, Address: r.Address, Port: r.Port, Meta: r.Labels,
		})
	}
	for id := range have {
		if !want[id] {
			s.Deregister(t, id)
		}
	}
}

// TestContractReal holds the backend to the contract over one real Consul; what only a broken one does is the fake's.
func TestContractReal(t *testing.T) {
	s := server{consultest.Start(t, nil)}
	backendtest.Run(t, func(t *testing.T) backendtest.Subject {
		s.Rest()
		t.Cleanup(s.Rest)
		return backendtest.Subject{
			Backend: s.open(t, map[string]any{}),
			Put:     s.sync,
			Name:    func(cluster string) string { return cluster },
			Faults:  map[string]func(*testing.T){"a node that is no node": func(t *testing.T) { s.sync(t, []fsm.Record{{Node: "x", Cluster: "x"}}) }},
		}
	})
}

func TestMapping(t *testing.T) {
	s := server{consultest.Start(t, nil)}
	s.Register(t, api.AgentServiceRegistration{
		ID: "db/1", Name: "team/db", Port: 5432, Tags: []string{"b", "muster", "a"}, Meta: map[string]string{"env": "prod"},
	})
	s.Register(t, api.AgentServiceRegistration{
		ID: "db-2", Name: "other", Address: "10.0.0.2", Port: 5432, Tags: []string{"muster"}, Meta: map[string]string{
			"env": "prod", "muster-cluster": "x/y", "muster-node": "two", "muster-address": "10.0.0.3", "muster-port": "8655",
			"muster-probe": "tcp",
		},
	})
	s.Register(t, api.AgentServiceRegistration{ID: "untagged", Name: "other", Port: 1, Meta: map[string]string{"env": "prod"}})
	s.Register(t, api.AgentServiceRegistration{ID: "test", Name: "other", Port: 1, Tags: []string{"muster"}})
	s.Register(t, api.AgentServiceRegistration{ID: "muster-1", Name: "muster", Port: 8650, Tags: []string{"muster"}})

	b := s.open(t, map[string]any{"tags": []string{"muster"}, "meta": map[string]string{"env": "prod"}})
	got, err := b.Read(t.Context(), discovery.Want{})
	if err != nil {
		t.Fatal(err)
	}
	shape, err := discovery.Shape(fsm.DefaultSpec())
	if err != nil {
		t.Fatal(err)
	}
	if got, err = shape(got); err != nil {
		t.Fatal(err)
	}
	want := []fsm.Record{
		{
			Cluster: "team.db", Node: "db/1", Address: "127.0.0.1", Port: 5432, Service: "team/db", Datacenter: "dc1",
			Tags: []string{"a", "b", "muster"}, Meta: map[string]string{"env": "prod"}, Labels: map[string]string{"env": "prod"},
			Source: "consul service team/db on host-1",
		},
		{
			Cluster: "x.y", Node: "two", Address: "10.0.0.3", Port: 8655, Service: "other", Datacenter: "dc1",
			Tags: []string{"muster"}, Labels: map[string]string{"env": "prod"}, Probe: "tcp",
			Meta: map[string]string{
				"env": "prod", "muster-cluster": "x/y", "muster-node": "two", "muster-address": "10.0.0.3",
				"muster-port": "8655", "muster-probe": "tcp",
			},
			Source: "consul service other on host-1",
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
}

// TestRights walks through the ways in which a caller may lack rights: each must be an error, and never a short list.
func TestRights(t *testing.T) {
	s := server{consultest.Start(t, consultest.DenyByDefault())}
	s.Register(t, api.AgentServiceRegistration{ID: "orders-1", Name: "orders", Address: "10.0.0.7", Port: 8655})
	good := s.Token(t, "good", `service_prefix "" {policy = "read"} node_prefix "" {policy = "read"}`)
	path := filepath.Join(t.TempDir(), "token")
	read := func(token string) ([]fsm.Record, error) {
		config := map[string]any{}
		if token != "" {
			if err := os.WriteFile(path, []byte(token+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			config["token_file"] = path
		}
		return s.open(t, config).Read(t.Context(), discovery.Want{})
	}

	if got, err := read(good); err != nil || len(got) != 1 {
		t.Errorf("with all rights: %d records, error %v", len(got), err)
	}
	for name, token := range map[string]string{
		"no token":      "",
		"unknown token": "11111111-2222-3333-4444-555555555555",
		"no node read":  s.Token(t, "nodeless", `service_prefix "" {policy = "read"}`),
	} {
		if got, err := read(token); err == nil {
			t.Errorf("%s: %d records and no error", name, len(got))
		} else if !strings.Contains(err.Error(), `node_prefix "" {policy = "read"}`) {
			t.Errorf("%s: the error does not say which rights are needed: %v", name, err)
		} else if token != "" && strings.Contains(err.Error(), token) {
			t.Errorf("%s: the error holds the token", name)
		}
	}
}

// TestTokenRenewed puts another token in the file while the backend lives: the refusal of the old one makes it read the
// new one.
func TestTokenRenewed(t *testing.T) {
	s := server{consultest.Start(t, consultest.DenyByDefault())}
	path := filepath.Join(t.TempDir(), "token")
	put := func(token string) {
		if err := os.WriteFile(path, []byte(token), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("11111111-2222-3333-4444-555555555555")
	b := s.open(t, map[string]any{"token_file": path})
	if _, err := b.Read(t.Context(), discovery.Want{}); err == nil {
		t.Fatal("an unknown token was good enough")
	}
	put(consultest.Root + "\n")
	if _, err := b.Read(t.Context(), discovery.Want{}); err != nil {
		t.Errorf("with the new token: %v", err)
	}
}
