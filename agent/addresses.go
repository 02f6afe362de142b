package agent

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/musterhq/muster/agent/cert"
)

// checkAddrs refuses addresses that a peer could not be reached at, and those off loopback without all that protects them.
func (c *Config) checkAddrs() error {
	for _, a := range [][2]string{{"-http-addr", c.HTTPAddr}, {"-peer-addr", c.PeerAddr}, {"-gossip-addr", c.GossipAddr}} {
		if err := c.checkAddr(a[0], a[1]); err != nil {
			return err
		}
	}
	for _, o := range []outward{c.outwardHTTP(), c.outwardPeer(), c.outwardGossip()} {
		if err := o.check(); err != nil {
			return err
		}
		if o.said == "" {
			continue
		}
		if err := c.checkAddr(o.option, o.String()); err != nil {
			return err
		}
	}
	if c.Seams.Gossip == nil {
		return c.checkGossip()
	}
	return nil
}

func everywhere(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "" || err == nil && ip.IsUnspecified()
}

// checkGossip refuses an address that gossip would not take, or not be allowed to use.
func (c *Config) checkGossip() error {
	if _, err := netip.ParseAddrPort(c.GossipAddr); err != nil {
		return fmt.Errorf("-gossip-addr %q is not an IP address and a port, such as 10.0.0.1:8652", c.GossipAddr)
	}
	allowed, err := prefixes("-gossip-allow", c.GossipAllow)
	if err != nil || len(allowed) == 0 {
		return err
	}
	told, flag := c.outwardGossip(), "-gossip-addr"
	if told.said != "" {
		flag = told.option
	}
	on, err := netip.ParseAddrPort(told.String())
	if err != nil {
		return fmt.Errorf("%s %s: %w", flag, told, err)
	}
	own := on.Addr().Unmap()
	if !slices.ContainsFunc(allowed, func(p netip.Prefix) bool { return p.Contains(own) }) {
		return fmt.Errorf("-gossip-allow %s does not hold this peer's own %s %s: add its network",
			strings.Join(c.GossipAllow, ", "), flag, told)
	}
	return nil
}

// checkGroup refuses a name that this peer's certificate could not have.
func (c *Config) checkGroup() error {
	if !c.TLS.on() {
		return nil
	}
	return cert.CheckGroup(c.Group)
}
