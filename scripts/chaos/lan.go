package main

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
)

// Addresses of the network: the run itself is the gateway and plays the nodes behind it, peers come from firstHost on.
const (
	gateway   = "10.77.0.1"
	lanPrefix = "10.77.0."
	firstHost = 11
	nodesNet  = "10.78.0.0/16"
	nodesBase = "10.78.0.1"
)

// lan is an Ethernet of hosts in network namespaces below this process's own.
type lan struct {
	hosts []string // names of namespaces
}

// newLAN makes the network and its gateway. The mounts under /run/netns are seen by this process and its children only.
func newLAN(ctx context.Context) (*lan, error) {
	return &lan{}, each(ctx,
		"mount --make-rprivate /",
		"mkdir -p /run/netns",
		"mount -t tmpfs tmpfs /run/netns",
		"ip link set lo up",
		"ip link add lan type bridge",
		"ip addr add "+gateway+"/24 dev lan",
		"ip link set lan up",
		"ip route add local "+nodesNet+" dev lo",
	)
}

// add makes a host and returns its address, and the command line that runs a program there.
func (l *lan) add(ctx context.Context, name string) (address string, under []string, err error) {
	address = fmt.Sprint(lanPrefix, firstHost+len(l.hosts))
	on := "ip -n " + name + " "
	err = each(ctx,
		"ip netns add "+name,
		"ip link add "+name+" type veth peer name eth0 netns "+name,
		"ip link set "+name+" master lan up",
		on+"link set lo up",
		on+"addr add "+address+"/24 dev eth0",
		on+"link set eth0 up",
		on+"route add default via "+gateway,
		at(name)+"nft add table ip chaos",
		at(name)+"nft add chain ip chaos in { type filter hook input priority 0 ; }",
	)
	l.hosts = append(l.hosts, name)
	return address, strings.Fields(at(name)), err
}

// at begins a command line that is to run on a host.
func at(name string) string { return "nsenter --net=/run/netns/" + name + " " }

// address is a host's.
func (l *lan) address(name string) string {
	for i, h := range l.hosts {
		if h == name {
			return fmt.Sprint(lanPrefix, firstHost+i)
		}
	}
	return ""
}

// deafen lets nothing that comes from an address or network in at a host.
func deafen(ctx context.Context, host, from string) error {
	return each(ctx, at(host)+"nft add rule ip chaos in ip saddr "+from+" drop")
}

// cut lets nothing pass between two hosts.
func (l *lan) cut(ctx context.Context, a, b string) error {
	if err := deafen(ctx, a, l.address(b)); err != nil {
		return err
	}
	return deafen(ctx, b, l.address(a))
}

// lose drops so many packets of a hundred, of those that other peers sent to a host.
func lose(ctx context.Context, host string, percent int) error {
	return each(ctx, fmt.Sprintf("%snft add rule ip chaos in ip saddr != %s numgen random mod 100 < %d drop", at(host), gateway, percent))
}

// narrow gives what a host sends a rate and a queue of at most 400 ms.
func narrow(ctx context.Context, host, rate string) error {
	return each(ctx, at(host)+"tc qdisc replace dev eth0 root tbf rate "+rate+" burst 16k latency 400ms")
}

// mend takes all faults of a host's network away.
func mend(ctx context.Context, host string) error {
	if err := each(ctx, at(host)+"nft flush chain ip chaos in"); err != nil {
		return err
	}
	// There is nothing to delete where no rate was set.
	_ = exec.CommandContext(ctx, "nsenter", "--net=/run/netns/"+host, "tc", "qdisc", "del", "dev", "eth0", "root").Run()
	return nil
}

// each runs command lines, whose words have no spaces, until one fails.
func each(ctx context.Context, lines ...string) error {
	for _, line := range lines {
		words := strings.Fields(line)
		if out, err := exec.CommandContext(ctx, words[0], words[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", line, err, strings.TrimSpace(string(out)))
		}
	}
	return nil
}
