package poll

import (
	"net/netip"
	"slices"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

// Rules say which addresses may be dialed. Never allowed, whatever they say: unspecified, multicast, broadcast, link-local
// and cloud metadata addresses. The zero value allows all others except loopback.
type Rules struct {
	AllowLoopback bool             // a peer that is itself bound to loopback may ask its neighbours
	Allow         []netip.Prefix   // when not empty, only these; a loopback prefix here allows loopback too
	Ports         []PortRange      // when not empty, only these
	Own           []netip.AddrPort // this peer's listeners, never dialed; an unspecified address stands for every loopback
}

// PortRange is the ports from Low to High, both included.
type PortRange struct{ Low, High uint16 }

var (
	// Where clouds answer with credentials, outside the link-local range.
	metadata = []netip.Addr{
		netip.MustParseAddr("fd00:ec2::254"),
		netip.MustParseAddr("fd20:ce::254"),
		netip.MustParseAddr("100.100.100.200"),
		netip.MustParseAddr("168.63.129.16"),
		netip.MustParseAddr("192.0.0.192"),
	}
	thisNetwork = netip.MustParsePrefix("0.0.0.0/8")
	broadcast   = netip.MustParseAddr("255.255.255.255")
	nat64       = netip.MustParsePrefix("64:ff9b::/96")
	sixToFour   = netip.MustParsePrefix("2002::/16")
	compatible  = netip.MustParsePrefix("::/96")
)

// Check refuses an address that may not be dialed, with a fault that says why.
func (r *Rules) Check(to netip.AddrPort) error {
	addr := to.Addr().Unmap().WithZone("")
	why := r.against(addr)
	if inner, ok := embedded(addr); ok && why == "" {
		why = r.against(inner)
	}
	switch {
	case why != "":
	case len(r.Ports) > 0 && !slices.ContainsFunc(r.Ports, func(p PortRange) bool {
		return p.Low <= to.Port() && to.Port() <= p.High
	}):
		why = "its port is not among those allowed"
	case r.own(addr, to.Port()):
		why = "it is this peer's own"
	default:
		return nil
	}
	return refresh.NewFault(fsm.ReasonForbidden, "%s may not be dialed: %s", to, why)
}

// against says what is wrong with an address; empty when nothing is.
func (r *Rules) against(addr netip.Addr) string {
	listed := slices.ContainsFunc(r.Allow, func(p netip.Prefix) bool { return p.Contains(addr) })
	switch {
	case !addr.IsValid(), addr.IsUnspecified(), thisNetwork.Contains(addr):
		return "it names no host"
	case addr.IsMulticast(), addr == broadcast:
		return "it names more than one host"
	case addr.IsLinkLocalUnicast():
		return "it is link-local"
	case slices.Contains(metadata, addr):
		return "it serves cloud metadata"
	case addr.IsLoopback() && !r.AllowLoopback && !listed:
		return "it is loopback"
	case len(r.Allow) > 0 && !listed && (!addr.IsLoopback() || !r.AllowLoopback):
		return "it is not among the addresses allowed"
	}
	return ""
}

func (r *Rules) own(addr netip.Addr, port uint16) bool {
	return slices.ContainsFunc(r.Own, func(o netip.AddrPort) bool {
		if o.Port() != port {
			return false
		}
		mine := o.Addr().Unmap()
		return mine == addr || mine.IsUnspecified() && addr.IsLoopback()
	})
}

// embedded is the IPv4 address that some IPv6 addresses are routed or translated to.
func embedded(addr netip.Addr) (netip.Addr, bool) {
	b := addr.As16()
	switch {
	case addr.Is4():
		return netip.Addr{}, false
	case nat64.Contains(addr), compatible.Contains(addr) && !addr.IsLoopback():
		return netip.AddrFrom4([4]byte(b[12:16])), true
	case sixToFour.Contains(addr):
		return netip.AddrFrom4([4]byte(b[2:6])), true
	}
	return netip.Addr{}, false
}
