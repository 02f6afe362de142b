package poll

import (
	"net/netip"
	"slices"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

// Rules say which addresses may be dialed. In this order:
//
//  1. What names no host or more than one is never dialed: unspecified, multicast and broadcast addresses.
//  2. What Deny holds is not dialed, whatever else is said.
//  3. What is guarded (loopback, link-local and cloud metadata addresses, this peer's own listeners) is dialed only where
//     Allow names it: a range that lies wholly in loopback or link-local; for cloud metadata one of that very address; for
//     a listener one of its address with ports. So no wide range lets any of it in.
//  4. Everything else is dialed, unless Allow has ranges beside those of 3: then only what they hold is.
//
// The zero value so allows all that is not guarded.
type Rules struct {
	AllowLoopback bool // a peer that is itself bound to loopback may ask its neighbours
	Allow, Deny   []Range
	Own           []netip.AddrPort // this peer's listeners; an unspecified address stands for every loopback
}

var (
	// Where clouds answer with credentials.
	metadata = []netip.Addr{
		netip.MustParseAddr("169.254.169.254"),
		netip.MustParseAddr("169.254.170.2"),
		netip.MustParseAddr("169.254.170.23"),
		netip.MustParseAddr("fe80::a9fe:a9fe"),
		netip.MustParseAddr("fd00:ec2::254"),
		netip.MustParseAddr("fd00:ec2::23"),
		netip.MustParseAddr("fd20:ce::254"),
		netip.MustParseAddr("100.100.100.200"),
		netip.MustParseAddr("168.63.129.16"),
		netip.MustParseAddr("192.0.0.192"),
	}
	loopback  = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	linkLocal = []netip.Prefix{netip.MustParsePrefix("169.254.0.0/16"), netip.MustParsePrefix("fe80::/10")}

	thisNetwork = netip.MustParsePrefix("0.0.0.0/8")
	broadcast   = netip.MustParseAddr("255.255.255.255")
	nat64       = netip.MustParsePrefix("64:ff9b::/96")
	nat64Own    = netip.MustParsePrefix("64:ff9b:1::/48") // of a network's own; judged as cut into /96, the usual way
	translated  = netip.MustParsePrefix("::ffff:0:0:0/96")
	sixToFour   = netip.MustParsePrefix("2002::/16")
	compatible  = netip.MustParsePrefix("::/96")
)

// Check refuses an address that may not be dialed, with a fault that says why.
func (r *Rules) Check(to netip.AddrPort) error {
	addr := to.Addr().Unmap().WithZone("")
	why := r.against(addr, to.Port())
	if inner, ok := embedded(addr); ok && why == "" {
		why = r.against(inner, to.Port())
	}
	if why == "" {
		return nil
	}
	return refresh.NewFault(fsm.ReasonForbidden, "%s may not be dialed: %s", to, why)
}

// against says what is wrong with an address; empty when nothing is.
func (r *Rules) against(addr netip.Addr, port uint16) string {
	switch {
	case !addr.IsValid(), addr.IsUnspecified(), thisNetwork.Contains(addr):
		return "it names no host"
	case addr.IsMulticast(), addr == broadcast:
		return "it names more than one host"
	}
	for _, d := range r.Deny {
		if d.holds(addr, port) {
			return "-dial-deny " + d.String() + " holds it"
		}
	}
	guard, named := r.guarded(addr, port)
	switch {
	case guard != "" && !named:
		return guard + ", and no -dial-allow names it"
	case guard == "" && !r.listed(addr, port):
		return "no -dial-allow holds it"
	}
	return ""
}

// guarded says what is wanted to be named before it is dialed, and whether it is. A listener on loopback is both.
func (r *Rules) guarded(addr netip.Addr, port uint16) (guard string, named bool) {
	for _, g := range r.guards(addr, port) {
		guard = g.what
		if !g.open && !slices.ContainsFunc(r.Allow, func(a Range) bool { return a.holds(addr, port) && g.names(a) }) {
			return guard, false
		}
	}
	return guard, true
}

// guard is a reason not to dial an address, and which ranges are taken for the word that it may be dialed all the same.
type guard struct {
	what  string
	open  bool
	names func(Range) bool
}

func (r *Rules) guards(addr netip.Addr, port uint16) []guard {
	var out []guard
	if r.own(addr, port) {
		out = append(out, guard{"it is this peer's own", false, func(a Range) bool { return a.single() && len(a.Ports) > 0 }})
	}
	if slices.Contains(metadata, addr) {
		return append(out, guard{"it serves cloud metadata", false, Range.single})
	}
	if addr.IsLoopback() {
		out = append(out, guard{"it is loopback", r.AllowLoopback, withinAny(loopback)})
	}
	if addr.IsLinkLocalUnicast() {
		out = append(out, guard{"it is link-local", false, withinAny(linkLocal)})
	}
	return out
}

func withinAny(nets []netip.Prefix) func(Range) bool {
	return func(a Range) bool { return slices.ContainsFunc(nets, a.within) }
}

// listed says whether an address that nothing guards is among those allowed.
func (r *Rules) listed(addr netip.Addr, port uint16) bool {
	narrowed := false
	for _, a := range r.Allow {
		if r.exception(a) {
			continue
		}
		if a.holds(addr, port) {
			return true
		}
		narrowed = true
	}
	return !narrowed
}

// exception says whether a range is there for what is guarded alone.
func (r *Rules) exception(a Range) bool {
	return withinAny(loopback)(a) || withinAny(linkLocal)(a) || a.single() && slices.Contains(metadata, a.Net.Addr()) ||
		a.single() && len(a.Ports) == 1 && a.Ports[0].Low == a.Ports[0].High && r.own(a.Net.Addr(), a.Ports[0].Low)
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
	case nat64.Contains(addr), nat64Own.Contains(addr), translated.Contains(addr), compatible.Contains(addr) && !addr.IsLoopback():
		return netip.AddrFrom4([4]byte(b[12:16])), true
	case sixToFour.Contains(addr):
		return netip.AddrFrom4([4]byte(b[2:6])), true
	}
	return netip.Addr{}, false
}
