package consul_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/consul/api"
	"go.uber.org/goleak"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe/consul"
	"github.com/musterhq/muster/refresh/probe/probetest"
)

const rights = `service "orders" {policy = "read"} node_prefix "" {policy = "read"}`

// says is what a poll of the nodes brings, one text for each.
func says(t *testing.T, p refresh.ClusterProber, targets []refresh.Target) []string {
	t.Helper()
	reports, err := p.ProbeCluster(t.Context(), targets)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, r := range reports {
		word := "unreachable " + r.Reason
		if r.Reachable {
			word = strings.TrimSpace(r.State + " " + r.StateReason)
		}
		out = append(out, r.Node+" "+word)
	}
	return out
}

func expect(t *testing.T, got []string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestHealthOfRealInstances(t *testing.T) {
	probetest.Real(t)
	s := startServer(t)
	s.register(t, api.AgentServiceRegistration{
		ID: "a", Name: "orders", Address: "10.0.0.1", Port: 5432, Meta: map[string]string{"version": "15.4"},
	})
	s.register(t, api.AgentServiceRegistration{ID: "x", Name: "orders", Meta: map[string]string{"muster-node": "b"}})
	s.register(t, api.AgentServiceRegistration{ID: "c", Name: "bills", Port: 80})
	before := goleak.IgnoreCurrent()
	p := open(t, s.address, s.token(t, "reader", rights), map[string]any{"kind": "postgres"})

	reports, err := p.ProbeCluster(t.Context(), nodes("orders", "a"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]fsm.Report{{
		Node: "a", Reachable: true, State: fsm.StateUp, Kind: "postgres", Version: "15.4",
		Attributes: map[string]string{"consul_node": "host-1"},
	}}, reports); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}

	both := nodes("orders", "b", "gone", "a")
	expect(t, says(t, p, both), "b up", "gone unreachable not_in_consul", "a up")
	s.set(t, "orders", "a", api.HealthCritical)
	expect(t, says(t, p, both), "b up", "gone unreachable not_in_consul", "a down critical")
	s.set(t, "orders", "a", api.HealthWarning)
	expect(t, says(t, p, both[2:]), "a up warning")
	s.set(t, "orders", "a", api.HealthPassing)
	if err := s.client.Agent().EnableServiceMaintenance("x", "new disk"); err != nil {
		t.Fatal(err)
	}
	s.await(t, "orders", "x", api.HealthMaint)
	expect(t, says(t, p, both), "b leaving maintenance", "gone unreachable not_in_consul", "a up")

	stale := open(t, s.address, s.token(t, "stale", rights), map[string]any{
		"stale": true, "match": "address", "datacenter": "dc1",
	})
	at := refresh.Target{Cluster: "orders", Node: "db-1", Address: "10.0.0.1", Port: 5432}
	expect(t, says(t, stale, []refresh.Target{at}), "db-1 up")

	s.Kill()
	if reports, err := p.ProbeCluster(t.Context(), both); err == nil || refresh.FaultOf(err).Reason != fsm.ReasonRefused {
		t.Errorf("stopped: reports are %+v, error %v", reports, err)
	}
	p.Close()
	stale.Close()
	goleak.VerifyNone(t, before)
}

// Nothing that Consul keeps from a token may look like a node that is gone.
func TestRightsOfRealTokens(t *testing.T) {
	probetest.Real(t)
	s := startServer(t)
	s.register(t, api.AgentServiceRegistration{ID: "a", Name: "orders", Port: 5432})
	const all = `service_prefix "" {policy = "read"} node_prefix "" {policy = "read"}`
	for name, c := range map[string]struct {
		token, service string
		reason         string
	}{
		"all rights":         {s.token(t, "reader", rights), "orders", ""},
		"no token":           {"", "orders", fsm.ReasonProtocol},
		"unknown token":      {"11111111-2222-3333-4444-555555555555", "orders", fsm.ReasonAuth},
		"no node read":       {s.token(t, "nodeless", `service "orders" {policy = "read"}`), "orders", fsm.ReasonProtocol},
		"no service read":    {s.token(t, "serviceless", `node_prefix "" {policy = "read"}`), "orders", fsm.ReasonProtocol},
		"no such service":    {s.token(t, "other", all), "bills", fsm.ReasonProtocol},
		"unknown datacenter": {root, "orders", fsm.ReasonHTTPStatus},
	} {
		t.Run(name, func(t *testing.T) {
			more := map[string]any{"service": c.service}
			if name == "unknown datacenter" {
				more["datacenter"] = "dc9"
			}
			reports, err := open(t, s.address, c.token, more).ProbeCluster(t.Context(), nodes("orders", "a"))
			switch {
			case c.reason == "":
				if err != nil || len(reports) != 1 || reports[0].State != fsm.StateUp {
					t.Errorf("reports are %+v, error %v", reports, err)
				}
			case err == nil || refresh.FaultOf(err).Reason != c.reason || reports != nil:
				t.Errorf("reports are %+v, error %v, wanted is the reason %q", reports, err, c.reason)
			case c.token != "" && c.token != root && strings.Contains(err.Error(), c.token):
				t.Errorf("the error holds the token: %v", err)
			default:
				t.Log(err)
			}
		})
	}
}

// CONSUL_* variables are the discovery's.
func TestVariablesPlayNoPart(t *testing.T) {
	for _, name := range []string{
		api.HTTPTokenEnvName, api.HTTPTokenFileEnvName, api.HTTPNamespaceEnvName, api.HTTPPartitionEnvName, api.HTTPAddrEnvName,
	} {
		t.Setenv(name, "leaked")
	}
	t.Setenv(api.HTTPAuthEnvName, "leaked:leaked")
	t.Setenv(api.HTTPSSLEnvName, "true")
	f := startFake(t, listing(healthy))
	p := open(t, f.address, "", nil)
	expect(t, says(t, p, nodes("orders", "a")), "a up")
	for name, values := range f.last.Header {
		if strings.Contains(strings.Join(values, " "), "leaked") || name == "Authorization" {
			t.Errorf("it sent %s: %s", name, values)
		}
	}
	if got := f.last.URL.RequestURI(); got != "/v1/health/service/orders" {
		t.Errorf("it asked for %s", got)
	}
}

var _ refresh.ClusterProber = (*consul.Prober)(nil)
