package fleet

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"

	"github.com/musterhq/muster/fsm"
)

// Listen says how nodes get their listeners.
type Listen string

// The ways to listen; see the package comment.
const (
	ListenAuto   Listen = "auto"   // each up to 1,000 nodes, else shared where it is to be had
	ListenEach   Listen = "each"   // a listener per node: a stopped node refuses
	ListenShared Listen = "shared" // one for all: a stopped node resets
)

const (
	eachLimit = 1000   // nodes up to which ListenAuto is ListenEach
	maxChurn  = 10_000 // changes per second
	maxShards = 1024
)

// Config is what a Fleet is made from. Zero values stand for the defaults.
type Config struct {
	Clusters int        // default 1
	Nodes    int        // of each cluster; default 3
	Shards   int        // of each cluster, held by all its nodes; shard k begins with node k mod Nodes; default 1
	Prefix   string     // of names; default "fleet"
	Base     netip.Addr // the first node's address, in 127.0.0.0/8; default 127.10.0.0
	Private  bool       // Base is in 10.0.0.0/8 instead, as within a network namespace
	Port     int        // of every node; AnyPort lets the system choose; default 8655

	Kind    string // of the store that nodes claim to be; default "redis"
	Version string // default "7.0.15"

	Listen    Listen
	Processes int // to play in; default as few as the limit of open files allows
	Peers     int // how many pollers may be connected to a node at a time, for that default; default 3

	Churn float64 // changes per second by itself, at most 10,000; default none
	Seed  uint64  // of the churn

	ControlAddr string // host:port on loopback for the control endpoint; default none

	File        string // discovery file to write; default none
	ConsulAddr  string // host:port or http URL of a Consul to register in; default none
	ConsulToken string // sent with registrations when not empty

	Logger *slog.Logger // nil logs nothing
}

// The networks that nodes may be in.
var (
	loopbackNet = netip.MustParsePrefix("127.0.0.0/8")
	privateNet  = netip.MustParsePrefix("10.0.0.0/8")
)

// AnyPort as Config.Port takes free ports: one for all nodes when they share a listener, else one for each node.
const AnyPort = -1

// normalise fills in defaults and says what is wrong.
func (c *Config) normalise() error {
	setDefault(&c.Clusters, 1)
	setDefault(&c.Nodes, 3)
	setDefault(&c.Shards, 1)
	setDefault(&c.Port, 8655)
	setDefault(&c.Peers, 3)
	setDefault(&c.Prefix, "fleet")
	setDefault(&c.Kind, "redis")
	setDefault(&c.Version, "7.0.15")
	setDefault(&c.Listen, ListenAuto)
	setDefault(&c.Base, netip.AddrFrom4([4]byte{127, 10, 0, 0}))
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return errors.Join(c.checkSize(), c.checkNetwork())
}

func setDefault[T comparable](to *T, value T) {
	var zero T
	if *to == zero {
		*to = value
	}
}

func (c *Config) checkSize() error {
	switch {
	case c.Clusters < 1 || c.Nodes < 1:
		return fmt.Errorf("fleet: %d clusters of %d nodes; at least one of each is wanted", c.Clusters, c.Nodes)
	case c.Shards < 1 || c.Shards > maxShards:
		return fmt.Errorf("fleet: %d shards per cluster; from 1 to %d are possible", c.Shards, maxShards)
	case c.Processes < 0 || c.Peers < 0:
		return errors.New("fleet: the number of processes or of peers is negative")
	case !(c.Churn >= 0 && c.Churn <= maxChurn):
		return fmt.Errorf("fleet: churn of %g changes per second; at most %d are possible", c.Churn, maxChurn)
	}
	if err := fsm.CheckClusterName("prefix", c.Prefix); err != nil {
		return fmt.Errorf("fleet: %w", err)
	}
	return nil
}

func (c *Config) checkNetwork() error {
	if c.Port != AnyPort && (c.Port < 1 || c.Port > 65535) {
		return fmt.Errorf("fleet: %d is not a port", c.Port)
	}
	switch c.Listen {
	case ListenAuto, ListenEach, ListenShared:
	default:
		return fmt.Errorf("fleet: listen %q; auto, each or shared is wanted", c.Listen)
	}
	network := loopbackNet
	if c.Private {
		network = privateNet
	}
	if !network.Contains(c.Base) {
		return fmt.Errorf("fleet: base address %s is not in %s", c.Base, network)
	}
	// The last address of the network is its broadcast address.
	room := int64(number(network.Addr())|0xffffff) - int64(number(c.Base))
	if int64(c.Clusters) > room || int64(c.Nodes) > room || int64(c.Clusters)*int64(c.Nodes) > room {
		return fmt.Errorf("fleet: %d clusters of %d nodes from %s on do not fit into %s", c.Clusters, c.Nodes, c.Base, network)
	}
	if c.ControlAddr != "" {
		if err := checkLoopback(c.ControlAddr); err != nil {
			return err
		}
	}
	return nil
}

func checkLoopback(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("fleet: control address: %w", err)
	}
	ip, err := netip.ParseAddr(host)
	if strings.EqualFold(host, "localhost") || err == nil && ip.IsLoopback() {
		return nil
	}
	return fmt.Errorf("fleet: control address %s is not on loopback, and it knows no passwords", address)
}
