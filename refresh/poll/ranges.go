package poll

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Range is some ports of some addresses, as a rule names them.
type Range struct {
	Net   netip.Prefix // the zero prefix is every address
	Ports []PortRange  // none is every port
}

// PortRange is the ports from Low to High, both included.
type PortRange struct{ Low, High uint16 }

// ParseRange reads NET or NET:PORTS. NET is an address, a CIDR or * for every address, and IPv6 before ports is in brackets;
// PORTS are ports and ranges of them, as in 6379,8655-8657.
func ParseRange(s string) (Range, error) {
	text, ports, err := splitRange(s)
	if err != nil {
		return Range{}, err
	}
	var r Range
	if text != "*" {
		if r.Net, err = parseNet(text); err != nil {
			return Range{}, fmt.Errorf("%q: %w", s, err)
		}
	}
	if ports == "" {
		return r, nil
	}
	for part := range strings.SplitSeq(ports, ",") {
		p, err := parsePorts(part)
		if err != nil {
			return Range{}, fmt.Errorf("%q: %w", s, err)
		}
		r.Ports = append(r.Ports, p)
	}
	return r, nil
}

// ParseRanges reads each text as ParseRange does.
func ParseRanges(texts []string) ([]Range, error) {
	out := make([]Range, 0, len(texts))
	for _, text := range texts {
		r, err := ParseRange(text)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

// splitRange takes the ports off. Of an IPv6 address they can be told only when it is in brackets.
func splitRange(s string) (text, ports string, err error) {
	if rest, ok := strings.CutPrefix(s, "["); ok {
		text, ports, ok = strings.Cut(rest, "]")
		if !ok || ports != "" && (len(ports) < 2 || ports[0] != ':') {
			return "", "", fmt.Errorf("%q is not [NET] or [NET]:PORTS", s)
		}
		return text, strings.TrimPrefix(ports, ":"), nil
	}
	if strings.Count(s, ":") != 1 {
		return s, "", nil
	}
	text, ports, _ = strings.Cut(s, ":")
	if ports == "" {
		return "", "", fmt.Errorf("%q has no ports after the colon; leave it out for every port", s)
	}
	return text, ports, nil
}

func parseNet(text string) (netip.Prefix, error) {
	var p netip.Prefix
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
		p = netip.PrefixFrom(a, a.BitLen())
	} else if p, err = netip.ParsePrefix(text); err != nil {
		return p, fmt.Errorf("%q is neither an address nor a CIDR such as 10.0.0.0/8 nor *; IPv6 with ports is [CIDR]:PORTS", text)
	}
	if p.Addr().Is4In6() {
		return p, fmt.Errorf("%s is IPv4 written as IPv6; write it as IPv4, which covers both", text)
	}
	if masked := p.Masked(); masked != p {
		return p, fmt.Errorf("%s has bits beyond its mask; write %s, or %s for the one address", text, masked, p.Addr())
	}
	return p, nil
}

func parsePorts(text string) (PortRange, error) {
	low, high, ranged := strings.Cut(text, "-")
	if !ranged {
		high = low
	}
	from, err := strconv.ParseUint(low, 10, 16)
	if err != nil || from == 0 {
		return PortRange{}, fmt.Errorf("%q is not a port from 1 to 65535, or a range as in 8655-8657", text)
	}
	to, err := strconv.ParseUint(high, 10, 16)
	if err != nil || to < from {
		return PortRange{}, fmt.Errorf("%q is not a range of ports as in 8655-8657", text)
	}
	return PortRange{uint16(from), uint16(to)}, nil
}

// String writes the range so that ParseRange reads it.
func (r Range) String() string {
	text := "*"
	switch {
	case !r.Net.IsValid():
	case r.Net.Addr().Is6() && len(r.Ports) > 0:
		text = "[" + r.Net.String() + "]"
	default:
		text = r.Net.String()
	}
	for i, p := range r.Ports {
		sep := ","
		if i == 0 {
			sep = ":"
		}
		text += sep + strconv.Itoa(int(p.Low))
		if p.High != p.Low {
			text += "-" + strconv.Itoa(int(p.High))
		}
	}
	return text
}

func (r Range) holds(addr netip.Addr, port uint16) bool {
	if r.Net.IsValid() && !r.Net.Contains(addr) {
		return false
	}
	return len(r.Ports) == 0 || slices.ContainsFunc(r.Ports, func(p PortRange) bool { return p.Low <= port && port <= p.High })
}

// within says whether every address of the range lies in a network.
func (r Range) within(net netip.Prefix) bool {
	return r.Net.IsValid() && r.Net.Bits() >= net.Bits() && net.Contains(r.Net.Addr())
}

// single says whether the range is of one address alone.
func (r Range) single() bool { return r.Net.IsValid() && r.Net.IsSingleIP() }
