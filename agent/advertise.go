package agent

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// Advertise is where the others reach a peer, if that is not where it listens: in a container, behind a translation of addresses,
// or where it listens on every address of its machine. What is empty is as Address says, and then as the peer listens.
type Advertise struct {
	Address string // IP of all three, with the ports that are listened on
	HTTP    string // host or host:port of the API
	Peer    string // host or host:port of the peer port
	Gossip  string // IP or ip:port
}

// outward is one of a peer's addresses, as it listens on it and as others are told it.
type outward struct {
	kind         string // as the options call it
	listens      string
	option, said string // what is advertised in its place, if anything, and by which option
	beside       string // a host that leads to it as well, where it listens on every address of the machine; may be empty
}

func (c *Config) outwardPeer() outward { return c.outward("peer", c.PeerAddr, c.Advertise.Peer) }
func (c *Config) outwardGossip() outward {
	return c.outward("gossip", c.GossipAddr, c.Advertise.Gossip)
}

// outwardHTTP is the API's. One that listens everywhere is told at the address of the peer port.
func (c *Config) outwardHTTP() outward {
	o := c.outward("http", c.HTTPAddr, c.Advertise.HTTP)
	if host, _ := c.outwardPeer().parts(); !onLoopback(host) {
		o.beside = host
	}
	return o
}

func (c *Config) outward(kind, listens, said string) outward {
	o := outward{kind: kind, listens: listens, said: said, option: "-advertise-" + kind}
	if said == "" {
		o.option, o.said = allOutward, c.Advertise.Address
	}
	return o
}

// allOutward is the option for all three.
const allOutward = "-advertise"

func (o outward) flag() string { return "-" + o.kind + "-addr" }

// parts are the host and the port that others are told.
func (o outward) parts() (host, port string) {
	if host, port, err := net.SplitHostPort(cmp.Or(o.said, o.listens)); err == nil {
		if o.said == "" && o.beside != "" && everywhere(host) {
			host = o.beside
		}
		return host, port
	}
	_, port, _ = net.SplitHostPort(o.listens)
	return strings.Trim(o.said, "[]"), port
}

// String is what others are told: host:port.
func (o outward) String() string { return net.JoinHostPort(o.parts()) }

// check refuses what others could not use.
func (o outward) check() error {
	host, _ := o.parts()
	switch {
	case o.said != "":
		if why := o.useless(); why != "" {
			return fmt.Errorf("%s %q %s. Wanted is the address that other peers reach this one at, such as 10.0.0.1", o.option, o.said, why)
		}
	case o.kind != "http" && everywhere(host):
		return fmt.Errorf("%s %s is every address of this machine: say with -advertise which one the other peers are to use",
			o.flag(), o.listens)
	}
	return nil
}

// useless says why what is advertised is of no use to others; empty when it is of use.
func (o outward) useless() string {
	host, port := o.parts()
	ip, err := netip.ParseAddr(host)
	listens, _, _ := net.SplitHostPort(o.listens)
	n, odd := strconv.ParseUint(port, 10, 16)
	switch {
	case o.option == allOutward && host != strings.Trim(o.said, "[]"):
		return "holds a port: those are said with -advertise-http, -advertise-peer and -advertise-gossip"
	case err != nil && o.option == allOutward:
		return "is no IP address; names may be said with -advertise-http and -advertise-peer"
	case err != nil && o.kind == "gossip":
		return "is no IP address, which gossip needs"
	case err != nil && !hostName(host), strings.Contains(o.said, "/"):
		return "is neither HOST nor HOST:PORT"
	case odd != nil:
		return fmt.Sprintf("has the port %q, which is no number from 1 to 65535", port)
	case n == 0:
		return fmt.Sprintf("has no port, and that of %s %s is not known before: say it as well", o.flag(), o.listens)
	case everywhere(host), ip.IsMulticast(), ip == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return "is not the address of one machine"
	case ip.Zone() != "":
		return "has a zone, which means nothing on other machines"
	case onLoopback(host) && !onLoopback(listens):
		return fmt.Sprintf("is on loopback, where others would ask themselves, and %s %s is not", o.flag(), o.listens)
	}
	return ""
}

// hostName says whether a text may be the name of a machine.
func hostName(text string) bool {
	odd := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '.' && r != '_'
	}
	return text != "" && len(text) <= 253 && !strings.ContainsFunc(text, odd)
}

// advertisedGossip is what gossip is to tell in the place of what it listens on; empty for nothing.
func (c *Config) advertisedGossip() string {
	if o := c.outwardGossip(); o.said != "" {
		return o.String()
	}
	return ""
}

// names are those under which the API may be asked for, beside what it listens on.
func (c *Config) names() []string {
	o := c.outwardHTTP()
	if o.said == "" {
		return nil
	}
	host, _ := o.parts()
	return []string{host}
}
