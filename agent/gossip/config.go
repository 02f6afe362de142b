package gossip

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"github.com/hashicorp/memberlist"
	"github.com/oklog/ulid/v2"
	"github.com/prometheus/client_golang/prometheus"
)

// DefaultPort is the gossip port of an address that names none.
const DefaultPort = "8652"

const (
	defaultGroup  = "muster"
	defaultForget = 24 * time.Hour
	keySize       = 32
)

// Config is what a Gossip is made of. Self, Log, Registerer and either Bind or
// Transport are required.
type Config struct {
	// Self is what this peer says of itself at first. ID is its ULID; Status,
	// Since and GossipAddr are ignored.
	Self Member

	// GroupName keeps groups apart (memberlist's label). Default "muster".
	GroupName string

	// Bind is the ip:port for TCP and UDP; port 0 takes a free one that Addr
	// then tells. Advertise is the ip:port others are told, by default the
	// bound one; it is required when Bind is the unspecified address.
	Bind      string
	Advertise string

	// Transport takes the place of sockets, for a group in one process. Run
	// shuts it down. Its Shutdown must close all its streams.
	Transport memberlist.Transport

	// Keyring encrypts and authenticates all traffic; each key has 32 bytes.
	// It may be changed while running. Required when Bind is off loopback,
	// unless Insecure.
	Keyring  *memberlist.Keyring
	Insecure bool

	// Allowed are the networks to talk to; none means all.
	Allowed []netip.Prefix

	// Resolver looks names up that are given to join. Finders find what URLs
	// stand for, by scheme.
	Resolver Resolver // default net.DefaultResolver
	Finders  map[string]Finder

	// Remembered are addresses an earlier process knew, as Snapshot gave them.
	Remembered Remembered

	Timings Timings       // default LAN()
	Forget  time.Duration // how long a departed member is kept; default 24h

	Log        *slog.Logger
	Registerer prometheus.Registerer
}

// Timings are how fast gossip notices and how hard it tries.
type Timings struct {
	Probe         time.Duration // one member is probed in each
	ProbeTimeout  time.Duration // for an answer, before others are asked; shorter than Probe
	SuspicionMult int           // probes' worth of time a suspect has to refute
	SuspicionMax  int           // times that, when nobody else suspects it too
	IndirectPeers int           // how many others are asked about a silent member

	Gossip   time.Duration // between rounds of news
	Retry    int           // copies of each piece of news, times log10 of the members
	PushPull time.Duration // between full exchanges with one other member

	Stream   time.Duration // deadline of one full exchange
	ToDead   time.Duration // how long the dead are still told, and held by memberlist
	Reclaim  time.Duration // how long a member must be dead before its id may have a new address
	Farewell time.Duration // deadline for each of a farewell's two messages

	RejoinMin, RejoinMax time.Duration // KeepJoining's shortest and longest pause
}

// LAN suits peers in one data centre: a dead peer is noticed in about 6 s.
func LAN() Timings {
	return Timings{
		Probe: time.Second, ProbeTimeout: 500 * time.Millisecond, SuspicionMult: 4, SuspicionMax: 6, IndirectPeers: 3,
		Gossip: 200 * time.Millisecond, Retry: 4, PushPull: 30 * time.Second,
		Stream: 5 * time.Second, ToDead: 30 * time.Second, Reclaim: 500 * time.Millisecond, Farewell: 2 * time.Second,
		RejoinMin: time.Second, RejoinMax: 30 * time.Second,
	}
}

// Loopback suits peers on one machine and tests: a dead peer is noticed in
// about 1 s.
func Loopback() Timings {
	return Timings{
		Probe: 200 * time.Millisecond, ProbeTimeout: 100 * time.Millisecond, SuspicionMult: 3, SuspicionMax: 2, IndirectPeers: 1,
		Gossip: 50 * time.Millisecond, Retry: 4, PushPull: 5 * time.Second,
		Stream: time.Second, ToDead: 5 * time.Second, Reclaim: 100 * time.Millisecond, Farewell: time.Second,
		RejoinMin: 250 * time.Millisecond, RejoinMax: 5 * time.Second,
	}
}

// burial is how long a member can be dead before its id may have a new
// address everywhere: it is probed, suspected and then given up.
func (t Timings) burial() time.Duration {
	return 4*t.Probe + time.Duration(t.SuspicionMult*t.SuspicionMax)*t.Probe + t.Reclaim
}

func (t Timings) validate() error {
	for name, d := range map[string]time.Duration{
		"probe": t.Probe, "probe timeout": t.ProbeTimeout, "gossip": t.Gossip, "push-pull": t.PushPull, "stream": t.Stream,
		"to-dead": t.ToDead, "reclaim": t.Reclaim, "farewell": t.Farewell, "rejoin-min": t.RejoinMin,
	} {
		if d <= 0 {
			return fmt.Errorf("timings: %s must be above zero", name)
		}
	}
	switch {
	case t.ProbeTimeout >= t.Probe:
		return errors.New("timings: probe timeout must be shorter than probe")
	case t.RejoinMax < t.RejoinMin:
		return errors.New("timings: rejoin-max must not be shorter than rejoin-min")
	case t.SuspicionMult < 1 || t.SuspicionMax < 1 || t.IndirectPeers < 0 || t.Retry < 1:
		return errors.New("timings: suspicion and retry must be above zero, indirect peers not below")
	}
	return nil
}

// complete fills in the defaults and refuses what cannot work.
func (c Config) complete() (Config, error) {
	if c.GroupName == "" {
		c.GroupName = defaultGroup
	}
	if c.Timings == (Timings{}) {
		c.Timings = LAN()
	}
	if c.Forget == 0 {
		c.Forget = defaultForget
	}
	if c.Resolver == nil {
		c.Resolver = net.DefaultResolver
	}
	if c.Log == nil || c.Registerer == nil {
		return c, errors.New("log and registerer are required")
	}
	if _, err := ulid.ParseStrict(c.Self.ID); err != nil {
		return c, fmt.Errorf("id: %q: %w", c.Self.ID, err)
	}
	if len(c.GroupName) > memberlist.LabelMaxSize || !printable(c.GroupName) {
		return c, fmt.Errorf("group name: %q must be printable and at most %d bytes", c.GroupName, memberlist.LabelMaxSize)
	}
	if c.Forget < 0 {
		return c, errors.New("forget must be above zero")
	}
	if err := c.Timings.validate(); err != nil {
		return c, err
	}
	return c, errors.Join(c.checkKeys(), c.checkAddresses())
}

func (c Config) checkKeys() error {
	if c.Keyring == nil {
		return nil
	}
	keys := c.Keyring.GetKeys()
	if len(keys) == 0 {
		return errors.New("keyring holds no key")
	}
	for _, k := range keys {
		if len(k) != keySize {
			return fmt.Errorf("keyring: a key has %d bytes, must have %d", len(k), keySize)
		}
	}
	return nil
}

func (c Config) checkAddresses() error {
	if c.Advertise != "" {
		a, err := netip.ParseAddrPort(c.Advertise)
		if err != nil {
			return fmt.Errorf("advertise: %w", err)
		}
		if a.Addr().IsUnspecified() || a.Port() == 0 {
			return fmt.Errorf("advertise: %s is not an address others can reach", a)
		}
	}
	if c.Transport != nil {
		return nil
	}
	bind, err := netip.ParseAddrPort(c.Bind)
	if err != nil {
		return fmt.Errorf("bind: %w", err)
	}
	if bind.Addr().IsUnspecified() && c.Advertise == "" {
		return fmt.Errorf("bind: %s listens everywhere, so advertise must say which address others are to use", bind)
	}
	if !bind.Addr().IsLoopback() && c.Keyring == nil && !c.Insecure {
		return fmt.Errorf("bind: %s is off loopback and needs a gossip key", bind)
	}
	return nil
}
