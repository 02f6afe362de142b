package agent

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/musterhq/muster/agent/consul"
	"github.com/musterhq/muster/agent/gossip"
	"github.com/musterhq/muster/discovery"
)

// CheckJoin says what is wrong with one of Config.Join: an address, a name, or consul://SERVICE.
func CheckJoin(target string) error {
	if !strings.HasPrefix(target, consul.Scheme+"://") {
		return gossip.CheckTarget(target)
	}
	u, err := url.Parse(target)
	if err != nil {
		return fmt.Errorf("%q is no URL; wanted is one like consul://muster", target)
	}
	if err := consul.CheckTarget(u); err != nil {
		return fmt.Errorf("%q: %w", target, err)
	}
	return nil
}

// finders find others where targets of Config.Join say more than an address.
func (a *Agent) finders() (map[string]gossip.Finder, error) {
	client, err := consul.New(a.cfg.Consul, discovery.Env{Log: a.log})
	if err != nil {
		return nil, err
	}
	if a.cfg.Consul.InTheClear() {
		a.log.Warn("the token for Consul goes over the network in the clear: say https:// in -consul-addr, with -consul-ca-file",
			"consul", a.cfg.Consul.Address)
	}
	a.did("connections to Consul", func() error { client.Close(); return nil })
	return map[string]gossip.Finder{consul.Scheme: client.Find}, nil
}
