package agent

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/musterhq/muster/refresh/poll"
)

// DialRules are what probers may dial beside what poll.Rules guards and allows by itself, as poll.ParseRange reads it.
type DialRules struct {
	Allow, Deny []string
}

// parse reads the rules; an error names the flag.
func (d DialRules) parse() (allow, deny []poll.Range, err error) {
	if allow, err = poll.ParseRanges(d.Allow); err != nil {
		return nil, nil, fmt.Errorf("-dial-allow %w", err)
	}
	if deny, err = poll.ParseRanges(d.Deny); err != nil {
		return nil, nil, fmt.Errorf("-dial-deny %w", err)
	}
	return allow, deny, nil
}

// dialRules are those of this peer's polls. It asks loopback addresses while it is itself on loopback.
func (a *Agent) dialRules() (poll.Rules, error) {
	host, _, _ := net.SplitHostPort(a.cfg.PeerAddr)
	told, _ := a.cfg.outwardPeer().parts()
	allow, deny, err := a.cfg.Dial.parse()
	return poll.Rules{AllowLoopback: onLoopback(host) && onLoopback(told), Allow: allow, Deny: deny, Own: a.listeners()}, err
}

// listeners are the addresses this peer listens on, and those that others are told, which lead to it: a record must not have it ask
// itself. One that listens everywhere is reached at each address of the machine.
func (a *Agent) listeners() (own []netip.AddrPort) {
	for _, addr := range []string{
		a.cfg.HTTPAddr, a.cfg.PeerAddr, a.cfg.GossipAddr,
		a.cfg.outwardHTTP().String(), a.cfg.outwardPeer().String(), a.cfg.outwardGossip().String(),
	} {
		on, err := netip.ParseAddrPort(addr)
		if err != nil || on.Port() == 0 {
			continue
		}
		own = append(own, on)
		if !on.Addr().IsUnspecified() {
			continue
		}
		all, err := net.InterfaceAddrs()
		if err != nil {
			a.log.Warn("the addresses of this machine are not known: polls may reach this peer itself", "error", err)
		}
		for _, one := range all {
			if p, err := netip.ParsePrefix(one.String()); err == nil {
				own = append(own, netip.AddrPortFrom(p.Addr(), on.Port()))
			}
		}
	}
	return own
}

// prefixes reads CIDRs.
func prefixes(flag string, texts []string) ([]netip.Prefix, error) {
	out := make([]netip.Prefix, 0, len(texts))
	for _, text := range texts {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("%s %q is not a CIDR such as 10.0.0.0/8", flag, text)
		}
		out = append(out, p)
	}
	return out, nil
}
