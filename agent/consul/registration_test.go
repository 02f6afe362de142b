package consul_test

import (
	"context"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/hashicorp/consul/api"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/musterhq/muster/agent/consul"
	"github.com/musterhq/muster/discovery"
	"github.com/musterhq/muster/discovery/consul/consultest"
	"github.com/musterhq/muster/refresh/probe/probetest"
)

// documented are the rights that docs/consul.md tells to give.
const documented = `service "muster" {policy = "write"}`

// peer is one whose word a test can change.
type peer struct {
	*consul.Registration
	meters *prometheus.Registry
	mu     sync.Mutex
	is     consul.Instance
	stop   func()
}

func (p *peer) say() (consul.Instance, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.is, p.is.GossipAddr != ""
}

func (p *peer) change(to func(*consul.Instance)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	to(&p.is)
}

func voter() consul.Instance {
	return consul.Instance{
		Peer: "01A", Name: "peer-a", Group: "muster", GroupID: "01G", Version: "1.2.3", Role: "voter",
		HTTPAddr: "10.0.0.1:8650", PeerAddr: "10.0.0.1:8651", GossipAddr: "10.0.0.1:8652",
	}
}

// registered runs a registration until the test ends or stops it.
func registered(t *testing.T, c consul.Config, env discovery.Env, as ...func(*consul.Instance, *consul.Config)) *peer {
	t.Helper()
	p := &peer{is: voter(), meters: prometheus.NewRegistry()}
	for _, change := range as {
		change(&p.is, &c)
	}
	c.Register = true
	var err error
	if p.Registration, err = consul.NewRegistration(c, env, p.say, p.meters); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := p.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	p.stop = func() { cancel(); <-done }
	t.Cleanup(func() { p.stop(); p.Close() })
	return p
}

// await waits, by Consul's own blocking queries, until the instances of muster are as wanted.
func (s server) await(t *testing.T, what string, as func([]*api.ServiceEntry) bool) []*api.ServiceEntry {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for index := uint64(0); ; {
		all, meta, err := s.Client.Health().Service("muster", "", false, (&api.QueryOptions{WaitIndex: index}).WithContext(ctx))
		if err != nil {
			t.Fatalf("wait for %s: %v; there are %+v", what, err, all)
		}
		if as(all) {
			return all
		}
		index = meta.LastIndex
	}
}

// one is an instance with a status and tags.
func one(status string, tags ...string) func([]*api.ServiceEntry) bool {
	return func(all []*api.ServiceEntry) bool {
		return len(all) == 1 && all[0].Checks.AggregatedStatus() == status && cmp.Equal(all[0].Service.Tags, tags)
	}
}

func none(all []*api.ServiceEntry) bool { return len(all) == 0 }

// TestRegistration follows a peer's life in a real Consul, with exactly the rights that are documented.
func TestRegistration(t *testing.T) {
	probetest.Real(t)
	s := startServer(t)
	s.register(t, api.HealthPassing, api.AgentServiceRegistration{ID: "muster", Name: "other", Port: 1})
	p := registered(t, consul.Config{
		Address: s.Address, TokenFile: written(t, s.Token(t, "writer", documented)), Tags: []string{"prod"}, TTL: consul.MinTTL,
	}, discovery.Env{})

	got := s.await(t, "the instance", one(api.HealthPassing, "prod", "voter"))[0]
	want := &api.AgentService{
		ID: "muster-01A", Service: "muster", Tags: []string{"prod", "voter"}, Address: "10.0.0.1", Port: 8650, Meta: map[string]string{
			"peer_id": "01A", "name": "peer-a", "group": "muster", "group_id": "01G", "version": "1.2.3", "role": "voter", "scheme": "http",
			"peer_addr": "10.0.0.1:8651", "gossip_addr": "10.0.0.1:8652",
		},
	}
	if diff := cmp.Diff(want, got.Service, cmpopts.IgnoreFields(api.AgentService{},
		"Weights", "CreateIndex", "ModifyIndex", "Proxy", "Connect", "TaggedAddresses")); diff != "" {
		t.Errorf("instance (-want +got):\n%s", diff)
	}
	found, err := s.ask(t, consultest.Root).Find(t.Context(), target(t, "consul://muster?tag=voter"))
	if diff := cmp.Diff([]string{"10.0.0.1:8652"}, found); diff != "" || err != nil {
		t.Errorf("found: %v\n%s", err, diff)
	}

	p.change(func(i *consul.Instance) { i.Role = "leader" })
	s.await(t, "the leader's tags", one(api.HealthPassing, "leader", "prod", "voter"))
	p.change(func(i *consul.Instance) { i.Role, i.Unready = "standby", "no leader is known" })
	got = s.await(t, "the standby", one(api.HealthCritical, "prod", "standby"))[0]
	if said := got.Checks[len(got.Checks)-1].Output; said != "no leader is known" {
		t.Errorf("the check says %q", said)
	}
	p.change(func(i *consul.Instance) { i.Unready = "" })
	s.await(t, "a ready standby", one(api.HealthPassing, "prod", "standby"))
	s.Deregister(t, "muster-01A")
	s.await(t, "no instance", none)
	s.await(t, "the instance that another hand removed", one(api.HealthPassing, "prod", "standby"))

	p.stop()
	p.Withdraw(t.Context())
	s.await(t, "no instance", none)
	if other, err := s.Client.Agent().Services(); err != nil || len(other) != 1 || other["muster"] == nil {
		t.Errorf("other services are %v now, %v", other, err)
	}
}

// TestSilentPeersAreCritical: of a peer that is gone without a word, and of one that said why it ends.
func TestSilentPeersAreCritical(t *testing.T) {
	probetest.Real(t)
	s := startServer(t)
	config := consul.Config{Address: s.Address, TokenFile: written(t, consultest.Root), TTL: consul.MinTTL}
	p := registered(t, config, discovery.Env{})
	s.await(t, "the instance", one(api.HealthPassing, "voter"))
	p.stop()
	s.await(t, "silence to be critical", one(api.HealthCritical, "voter"))

	again := registered(t, config, discovery.Env{})
	s.await(t, "the instance", one(api.HealthPassing, "voter"))
	again.stop()
	again.Fail(t.Context(), os.ErrDeadlineExceeded)
	got := s.await(t, "failure to be critical", one(api.HealthCritical, "voter"))[0]
	if said := got.Checks[len(got.Checks)-1].Output; said != "The peer has ended: i/o timeout" {
		t.Errorf("the check says %q", said)
	}
}

// TestConsulThatHasForgotten is told again.
func TestConsulThatHasForgotten(t *testing.T) {
	probetest.Real(t)
	s := startServer(t)
	registered(t, consul.Config{Address: s.Address, TokenFile: written(t, consultest.Root), TTL: consul.MinTTL}, discovery.Env{})
	s.await(t, "the instance", one(api.HealthPassing, "voter"))
	s.Kill()
	s.Again(t)
	s.await(t, "the instance, in a Consul that was empty", one(api.HealthPassing, "voter"))
}

// TestRightsToRegister: who may not is told what is missing, and never the token.
func TestRightsToRegister(t *testing.T) {
	s := startServer(t)
	for name, token := range map[string]string{
		"no token":      "",
		"unknown":       "11111111-2222-3333-4444-555555555555",
		"only reads":    s.Token(t, "reader", `service_prefix "" {policy = "read"} node_prefix "" {policy = "write"}`),
		"other service": s.Token(t, "other", `service "musters" {policy = "write"}`),
	} {
		c := consul.Config{Address: s.Address}
		if token != "" {
			c.TokenFile = written(t, token)
		}
		p := registered(t, c, discovery.Env{})
		failed := waited(t, p, name, func() bool { return p.Status().Failures > 0 })
		if !strings.Contains(failed, documented) || !strings.Contains(failed, s.Address) || token != "" && strings.Contains(failed, token) {
			t.Errorf("%s: it says %s", name, failed)
		}
		p.stop()
	}
	if all, err := s.Client.Agent().Services(); err != nil || len(all) != 0 {
		t.Errorf("there are %v, %v", all, err)
	}
}

// waited waits until a registration stands as wanted, and gives its error.
func waited(t *testing.T, p *peer, what string, as func() bool) string {
	t.Helper()
	look, limit := time.NewTicker(10*time.Millisecond), time.NewTimer(time.Minute)
	defer look.Stop()
	defer limit.Stop()
	for !as() {
		select {
		case <-look.C:
		case <-limit.C:
			t.Fatalf("%s: it still stands at %+v", what, p.Status())
		}
	}
	return p.Status().Error
}

// TestTokenIsReplaced: Consul keeps the token of an instance to tell its servers of it, so a new one registers it again.
func TestTokenIsReplaced(t *testing.T) {
	probetest.Real(t)
	s := startServer(t)
	old := s.Token(t, "old", documented)
	path := written(t, old)
	p := registered(t, consul.Config{Address: s.Address, TokenFile: path, TTL: consul.MinTTL}, discovery.Env{})
	s.await(t, "the instance", one(api.HealthPassing, "voter"))
	next := s.Token(t, "next", documented)
	if err := os.WriteFile(path, []byte(next), 0o600); err != nil {
		t.Fatal(err)
	}
	s.revoke(t, old)
	p.change(func(i *consul.Instance) { i.Role = "leader" }) // which reaches the catalog by the new token alone
	s.await(t, "the leader", one(api.HealthPassing, "leader", "voter"))
}

func (s server) revoke(t *testing.T, token string) {
	t.Helper()
	self, _, err := s.Client.ACL().TokenReadSelf(&api.QueryOptions{Token: token})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Client.ACL().TokenDelete(self.AccessorID, nil); err != nil {
		t.Fatal(err)
	}
}

// TestConsulOverTLS registers, and finds what it registered, where Consul wants certificates; and nowhere else.
func TestConsulOverTLS(t *testing.T) {
	dir, authority := t.TempDir(), probetest.NewAuthority(t)
	shown, key := authority.Issue(t, "server.dc1.consul").Write(t, dir, "consul")
	own, ownKey := authority.Issue(t, "").Write(t, dir, "peer")
	settings := consultest.DenyByDefault()
	settings["cert_file"], settings["key_file"], settings["ca_file"] = shown, key, written(t, authority.PEM)
	settings["verify_incoming_https"] = true
	s := server{consultest.Start(t, settings)}
	good := consul.Config{
		Address: "https://" + s.HTTPS, TokenFile: written(t, s.Token(t, "writer", documented+` node_prefix "" {policy = "read"}`)),
		CAFile: written(t, authority.PEM), CertFile: own, KeyFile: ownKey, ServerName: "server.dc1.consul",
	}
	registered(t, good, discovery.Env{})
	s.await(t, "the instance", one(api.HealthPassing, "voter"))
	found, err := made(t, good).Find(t.Context(), target(t, "consul://muster"))
	if diff := cmp.Diff([]string{"10.0.0.1:8652"}, found); diff != "" || err != nil {
		t.Errorf("found: %v\n%s", err, diff)
	}
	for name, bad := range map[string]struct {
		change func(*consul.Config)
		want   string
	}{
		"another authority":  {func(c *consul.Config) { c.CAFile = written(t, probetest.NewAuthority(t).PEM) }, "unknown authority"},
		"another name":       {func(c *consul.Config) { c.ServerName = "" }, "cannot validate certificate for 127.0.0.1"},
		"no certificate":     {func(c *consul.Config) { c.CertFile, c.KeyFile = "", "" }, "tls: "},
		"no file":            {func(c *consul.Config) { c.CAFile = "/nowhere.pem" }, "/nowhere.pem"},
		"TLS where it isn't": {func(c *consul.Config) { c.Address = "https://" + s.Address }, "HTTP response to HTTPS client"},
	} {
		c := good
		bad.change(&c)
		if got, err := made(t, c).Find(t.Context(), target(t, "consul://muster")); err == nil || !strings.Contains(err.Error(), bad.want) {
			t.Errorf("%s: found %v, %v; want %q", name, got, err, bad.want)
		}
	}
}
