package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/hashicorp/memberlist"
	"github.com/hashicorp/raft"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/musterhq/muster/agent/backup"
	"github.com/musterhq/muster/agent/consensus"
	"github.com/musterhq/muster/agent/consul"
	"github.com/musterhq/muster/agent/gossip"
	"github.com/musterhq/muster/agent/space"
	"github.com/musterhq/muster/agent/trace"
	"github.com/musterhq/muster/discovery"
	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

// Defaults of the addresses a peer listens on.
const (
	DefaultHTTPAddr   = "127.0.0.1:8650"
	DefaultPeerAddr   = "127.0.0.1:8651"
	DefaultGossipAddr = "127.0.0.1:8652"
)

// Config says what one peer is. The zero values of optional fields are the defaults.
type Config struct {
	DataDir         string            // required unless Dev
	Dev             bool              // one in-memory peer that forgets all when it stops
	Name            string            // for people, unique in the group; default the host's name
	Group           string            // keeps groups apart; default "muster"
	HTTPAddr        string            // host:port of the API
	PeerAddr        string            // host:port on which other peers reach this one
	GossipAddr      string            // host:port, TCP and UDP
	Advertise       Advertise         // where the others reach it, if that is elsewhere
	BootstrapExpect int               // how many voters found the group together
	Join            []string          // where any members gossip: addresses, names, names with SRV records; see CheckJoin
	Consul          consul.Config     // where consul://SERVICE of Join is looked up, and the peer registered
	Worker          bool              // replicate and refresh, never vote
	Labels          map[string]string // for `on`, such as zone=a
	Dial            DialRules         // what probers may dial
	HTTPMaxConns    int               // connections to the API from one address; 0 is 100
	HTTPMaxRate     int               // requests a second from one address off loopback; 0 is 1000
	Insecure        bool              // allow addresses off loopback without TLS, gossip key and ACLs
	TLS             TLS               // the certificate and whom it trusts; see tls.go
	GossipKeyFile   string            // what gossip is encrypted with; "" is in the clear
	GossipAllow     []string          // CIDRs of the peers; none is everywhere
	ACL             bool              // default deny; see access.go
	Debug           bool              // serve profiles of the process at the API
	RaftMultiplier  int               // 1 to 10: stretches raft's timing on slow hosts
	MaxSnapshot     int64             // bytes of a snapshot that is taken up from the leader, or restored; 0 is 1 GiB
	Version         string            // of the program
	Backups         *backup.Keeper    // what this peer saves while it leads: Dir, Interval, Retain; nil saves nothing
	Trace           trace.Config      // where traces go; off without an endpoint

	Declared []Declared     // discoveries to apply, see declare.go
	Origin   Origin         // to read all this again, see reload.go
	LogLevel *slog.LevelVar // of Log; nil stays as it is

	Backends discovery.Backends // composed by the program
	Probers  map[string]refresh.Maker
	Reveal   func(refresh.Secret) (string, error) // reads a secret that a prober's config names; nil refuses such configs

	Log        *slog.Logger
	Registerer prometheus.Registerer
	Gatherer   prometheus.Gatherer // for /metrics

	Seams Seams
}

// Seams are the edges of a peer to network, disk and time. Nil fields are the real thing.
type Seams struct {
	Now          func() time.Time // wall clock
	HTTPListener net.Listener
	PeerListener net.Listener
	PeerDial     func(ctx context.Context, network, addr string) (net.Conn, error)
	Gossip       memberlist.Transport
	GossipTiming *gossip.Timings
	ProbeDial    func(ctx context.Context, network, addr string) (net.Conn, error)
	TraceDial    trace.Dial
	Logs         raft.LogStore
	Stable       raft.StableStore
	Snapshots    raft.SnapshotStore
	BeforeCommit func() error           // in every write of the log store that was not given: see boltstore.Config
	Raft         func(*consensus.Parts) // may change what raft is made of, just before

	Space func(dir string) (space.Room, error) // of the data directory
}

func (c *Config) withDefaults() {
	def := func(s *string, v string) {
		if *s == "" {
			*s = v
		}
	}
	def(&c.Group, "muster")
	def(&c.HTTPAddr, DefaultHTTPAddr)
	def(&c.PeerAddr, DefaultPeerAddr)
	def(&c.GossipAddr, DefaultGossipAddr)
	if c.Name == "" {
		c.Name, _ = os.Hostname()
	}
	if c.RaftMultiplier == 0 {
		c.RaftMultiplier = 1
	}
	if c.MaxSnapshot == 0 {
		c.MaxSnapshot = consensus.DefaultMaxSnapshot
	}
	if c.Dev {
		c.BootstrapExpect = 1
	}
	if c.Seams.Now == nil {
		c.Seams.Now = time.Now
	}
	c.Labels = maps.Clone(c.Labels)
	if port, ok := strings.CutPrefix(c.GossipAddr, "localhost:"); ok {
		c.GossipAddr = net.JoinHostPort("127.0.0.1", port) // gossip takes addresses only
	}
}

// validate says what is wrong and what would be right.
func (c *Config) validate() error {
	if err := fsm.CheckDiscoveryName("name", c.Name); err != nil {
		return fmt.Errorf("%w; set -name", err)
	}
	switch {
	case c.Log == nil || c.Registerer == nil || c.Gatherer == nil:
		return errors.New("agent: log, registerer and gatherer are required")
	case c.DataDir == "" && !c.Dev:
		return errors.New("no -data-dir: say where this peer keeps its log, or use -dev for one that forgets")
	case c.DataDir != "" && c.Dev:
		return errors.New("-dev keeps nothing on disk: leave -data-dir out")
	case c.Dev && c.Worker:
		return errors.New("-dev is a group of one, which has to vote: leave -worker out")
	case c.RaftMultiplier < 1 || c.RaftMultiplier > 10:
		return fmt.Errorf("-raft-multiplier %d is not between 1 and 10", c.RaftMultiplier)
	case c.MaxSnapshot < 0:
		return fmt.Errorf("-max-snapshot-mib %d is below 1", c.MaxSnapshot>>20)
	case c.BootstrapExpect < 0 || c.BootstrapExpect > 9:
		return fmt.Errorf("-bootstrap-expect %d is not between 1 and 9", c.BootstrapExpect)
	case c.Worker && c.BootstrapExpect > 0:
		return errors.New("-worker never votes, so it cannot found a group: leave -bootstrap-expect out and use -join")
	case c.HTTPMaxRate < 0:
		return fmt.Errorf("-http-max-rate-per-client %d is below 1", c.HTTPMaxRate)
	case c.HTTPMaxConns < 0:
		return fmt.Errorf("-http-max-conns-per-client %d is below 1", c.HTTPMaxConns)
	case len(c.Name) > 64:
		return fmt.Errorf("-name is %d bytes long; at most 64 are allowed", len(c.Name))
	}
	if err := fsm.CheckLabels("label", c.Labels); err != nil {
		return err
	}
	if _, _, err := c.Dial.parse(); err != nil {
		return err
	}
	if _, err := prefixes("-gossip-allow", c.GossipAllow); err != nil {
		return err
	}
	if c.Backups != nil {
		if err := c.Backups.Validate(); err != nil {
			return fmt.Errorf("%w; see -backup-dir, -backup-interval and -backup-retain", err)
		}
	}
	if err := c.TLS.validate(); err != nil {
		return err
	}
	if err := c.Consul.Validate(); err != nil {
		return err
	}
	if err := c.Trace.Validate(c.Insecure); err != nil {
		return err
	}
	for _, target := range c.Join {
		if err := CheckJoin(target); err != nil {
			return fmt.Errorf("-join %w", err)
		}
	}
	if err := c.checkGroup(); err != nil {
		return err
	}
	return c.checkAddrs()
}

// checkAddr refuses an address that does not parse, and one off loopback without all that protects it or the explicit word.
func (c *Config) checkAddr(flag, addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("%s %q is not host:port", flag, addr)
	}
	if c.Insecure || onLoopback(host) {
		return nil
	}
	return c.exposed(flag, addr)
}

func onLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}
