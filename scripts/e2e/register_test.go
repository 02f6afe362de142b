package e2e_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/consul/api"

	"github.com/musterhq/muster/scripts/rig"
)

// TestPeersFindEachOtherInConsul: three peers are told of nothing but a service of Consul, found their group through it, and are seen
// there as they are through the loss of the leader, a restart, a stop and a farewell.
func TestPeersFindEachOtherInConsul(t *testing.T) {
	w := newWorld(t)
	_, consul, err := w.rig.Consul(w.soon())
	w.must(err)
	asked, err := api.NewClient(&api.Config{Address: consul})
	w.must(err)
	g := w.rig.NewGroup(program)
	for _, name := range []string{"peer-a", "peer-b", "peer-c"} {
		_, err := g.Add(name)
		w.must(err)
	}
	start := func(p *rig.Peer) {
		w.Helper()
		w.must(p.Start("-bootstrap-expect", "3", "-join", "consul://muster", "-consul-addr", consul, "-consul-register",
			"-consul-tag", "prod", "-consul-check-ttl", "3s"))
	}
	for _, p := range g.Peers {
		start(p)
	}
	w.must(g.Ready(w.soon()))
	want := map[string]string{"peer-a": api.HealthPassing, "peer-b": api.HealthPassing, "peer-c": api.HealthPassing}
	seen := func() {
		w.Helper()
		w.until("Consul to know the peers as they are", func(ctx context.Context) error {
			leader, err := g.Leader(ctx)
			if err != nil {
				return err
			}
			return unlike(ctx, asked, want, leader.Name)
		})
	}
	seen()

	first := w.leader(g)
	first.Kill()
	want[first.Name] = api.HealthCritical
	seen()
	start(first)
	want[first.Name] = api.HealthPassing
	seen()

	w.must(first.Stop())
	delete(want, first.Name)
	seen()
	start(first)
	want[first.Name] = api.HealthPassing
	seen()
	if self, err := first.API.Self(w.soon()); err != nil || self.Consul == nil || !self.Consul.Registered || self.Consul.Address != consul {
		t.Errorf("it says of itself %+v, %v", self.Consul, err)
	}
	w.must(first.API.Leave(w.soon()))
	delete(want, first.Name)
	seen()
	<-first.Done()

	res, err := http.Get("http://" + w.leader(g).HTTP + "/metrics")
	w.must(err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || !strings.Contains(string(text), "\nmuster_consul_registered 1\n") {
		t.Errorf("the metrics do not say that the peer is registered: %v", err)
	}
}

// unlike says how the instances of muster differ from what is wanted: health by the name of the peer, and of those that pass the
// tags of their role.
func unlike(ctx context.Context, asked *api.Client, want map[string]string, leader string) error {
	all, _, err := asked.Health().Service("muster", "", false, (&api.QueryOptions{}).WithContext(ctx))
	if err != nil {
		return err
	}
	got, tags, roles := map[string]string{}, map[string][]string{}, map[string][]string{}
	for _, e := range all {
		name, health := e.Service.Meta["name"], e.Checks.AggregatedStatus()
		if got[name] = health; health != api.HealthPassing {
			continue
		}
		if tags[name], roles[name] = e.Service.Tags, []string{"prod", "voter"}; name == leader {
			roles[name] = []string{"leader", "prod", "voter"}
		}
	}
	if diff := cmp.Diff(want, got) + cmp.Diff(roles, tags); diff != "" {
		return fmt.Errorf("(-want +got):\n%s", diff)
	}
	return nil
}
