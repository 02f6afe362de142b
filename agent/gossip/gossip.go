package gossip

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"
)

// What a Gossip answers when it cannot do what was asked.
var (
	ErrEnded    = errors.New("gossip: ended")
	ErrDeparted = errors.New("gossip: this peer has said farewell")
)

// housekeeping is how often the departed are looked through.
const housekeeping = time.Minute

// Gossip is one peer's part in the gossip. All methods may be called from
// anywhere at any time; those that need the network wait for Ready.
type Gossip struct {
	cfg    Config
	roster *roster
	meters *meters

	ready  chan struct{} // closed when list is there
	ending chan struct{} // closed when Run is about to end

	voice    chan struct{} // held while speaking of oneself: one at a time
	list     *memberlist.Memberlist
	addr     string
	departed atomic.Bool // farewell said

	mu      sync.Mutex
	started bool
	ended   bool
	tasks   sync.WaitGroup
}

// New checks cfg and starts nothing.
func New(cfg Config) (*Gossip, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return nil, fmt.Errorf("gossip: %w", err)
	}
	r, err := newRoster(cfg.Self)
	if err != nil {
		return nil, err
	}
	m, err := newMeters(cfg.Registerer)
	if err != nil {
		return nil, fmt.Errorf("gossip: %w", err)
	}
	return &Gossip{
		cfg: cfg, roster: r, meters: m,
		ready: make(chan struct{}), ending: make(chan struct{}), voice: make(chan struct{}, 1),
	}, nil
}

// Run takes part until ctx ends, and may be called once. It says no farewell:
// call Leave before. An error means it could not begin.
func (g *Gossip) Run(ctx context.Context) error {
	g.mu.Lock()
	again := g.started
	g.started = true
	g.mu.Unlock()
	if again {
		return errors.New("gossip: run twice")
	}
	defer g.roster.freeze()
	defer g.stopTasks()
	if err := g.open(ctx); err != nil {
		close(g.ending)
		return fmt.Errorf("gossip: %w", err)
	}
	close(g.ready)
	g.cfg.Log.Info("gossip started", "addr", g.addr, "group", g.cfg.GroupName)
	g.attend(ctx)
	return g.shut()
}

// open makes the transport and the memberlist.
func (g *Gossip) open(ctx context.Context) error {
	transport := g.cfg.Transport
	if transport == nil {
		bind, err := netip.ParseAddrPort(g.cfg.Bind)
		if err != nil {
			return fmt.Errorf("bind: %w", err)
		}
		// The sockets outlive ctx by a farewell's length; Shutdown ends them.
		if transport, err = openSockets(context.WithoutCancel(ctx), bind, g.cfg, g.meters); err != nil {
			return err
		}
	}
	if err := g.reachable(transport); err != nil {
		return errors.Join(err, transport.Shutdown())
	}
	list, err := memberlist.Create(g.listConfig(transport))
	if err != nil {
		return errors.Join(fmt.Errorf("memberlist: %w", err), transport.Shutdown())
	}
	g.list, g.addr = list, list.LocalNode().Address()
	return nil
}

// reachable refuses an own address outside the allowed networks: memberlist
// would leave this peer out of its own list.
func (g *Gossip) reachable(transport memberlist.Transport) error {
	ip, _, err := transport.FinalAdvertiseAddr(g.advertised())
	if err != nil {
		return fmt.Errorf("own address: %w", err)
	}
	if a, ok := netip.AddrFromSlice(ip); ok && !allows(g.cfg.Allowed, a) {
		return fmt.Errorf("own address %s is not in the allowed networks", a)
	}
	return nil
}

func (g *Gossip) advertised() (ip string, port int) {
	a, err := netip.ParseAddrPort(g.cfg.Advertise)
	if err != nil { // checked in New, so this is the empty one
		return "", 0
	}
	return a.Addr().String(), int(a.Port())
}

func (g *Gossip) listConfig(transport memberlist.Transport) *memberlist.Config {
	t, d := g.cfg.Timings, delegate{g.roster, g.meters}
	c := memberlist.DefaultLANConfig()
	c.Name, c.Label, c.Transport = g.cfg.Self.ID, g.cfg.GroupName, transport
	c.BindPort = 0
	c.AdvertiseAddr, c.AdvertisePort = g.advertised()
	c.Keyring, c.GossipVerifyIncoming, c.GossipVerifyOutgoing = g.cfg.Keyring, true, true
	c.EnableCompression = false // what is sent is small
	c.Delegate, c.Events, c.Alive, c.Conflict = d, d, d, d
	c.Logger = newLineLog(g.cfg.Log, g.meters.warned)

	c.ProbeInterval, c.ProbeTimeout, c.IndirectChecks = t.Probe, t.ProbeTimeout, t.IndirectPeers
	c.SuspicionMult, c.SuspicionMaxTimeoutMult, c.RetransmitMult = t.SuspicionMult, t.SuspicionMax, t.Retry
	c.GossipInterval, c.PushPullInterval, c.TCPTimeout = t.Gossip, t.PushPull, t.Stream
	c.GossipToTheDeadTime, c.DeadNodeReclaimTime = t.ToDead, t.Reclaim
	for _, p := range g.cfg.Allowed {
		c.CIDRsAllowed = append(c.CIDRsAllowed, ipNet(p))
	}
	return c
}

// attend says what the roster has to tell until ctx ends.
func (g *Gossip) attend(ctx context.Context) {
	tick := time.NewTicker(min(housekeeping, g.cfg.Forget))
	defer tick.Stop()
	for {
		fresh, foreign := g.roster.strangers()
		for _, m := range fresh {
			g.cfg.Log.Error("a member of another raft group uses this group's name and is ignored",
				"id", m.ID, "name", m.Name, "its_group", m.Group, "gossip_addr", m.GossipAddr)
		}
		for id, addr := range g.roster.disputes() {
			g.cfg.Log.Warn("a living peer's id is claimed at another address", "id", id, "addr", addr, "own", id == g.cfg.Self.ID)
		}
		g.meters.count(g.Members(), foreign)
		select {
		case <-ctx.Done():
			return
		case <-g.roster.poke:
		case now := <-tick.C:
			g.roster.expire(now, g.cfg.Forget)
		}
	}
}

// shut ends memberlist and waits for what it may still be doing: the longest
// is a probe of a silent member, which takes one interval.
func (g *Gossip) shut() error {
	g.voice <- struct{}{} // a farewell under way has a deadline of its own
	close(g.ending)
	<-g.voice
	linger := g.cfg.Timings.Probe * time.Duration(1+g.list.GetHealthScore())
	if err := g.list.Shutdown(); err != nil {
		return fmt.Errorf("gossip: shut down: %w", err)
	}
	if !g.roster.solitary() {
		<-time.After(linger)
	}
	return nil
}

// begin counts a task that Run waits for.
func (g *Gossip) begin(task func()) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ended {
		return ErrEnded
	}
	g.tasks.Go(task)
	return nil
}

func (g *Gossip) stopTasks() {
	g.mu.Lock()
	g.ended = true
	g.mu.Unlock()
	g.tasks.Wait()
}

// await returns once the network can be used.
func (g *Gossip) await(ctx context.Context) error {
	select {
	case <-g.ending:
		return ErrEnded
	default:
	}
	select {
	case <-g.ready:
		return nil
	case <-g.ending:
		return ErrEnded
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Ready is closed when Run has opened the network.
func (g *Gossip) Ready() <-chan struct{} { return g.ready }

// Addr is the ip:port this peer advertises, "" before Ready.
func (g *Gossip) Addr() string {
	select {
	case <-g.ready:
		return g.addr
	default:
		return ""
	}
}

// Members gives this peer and all it knows of, the departed included, sorted
// by id. Before Ready it is only this peer, stopped.
func (g *Gossip) Members() []Member { return g.roster.members() }

// Changed gives a channel that is closed when Members may have changed since
// this call. Take it before reading Members, so that nothing is missed.
func (g *Gossip) Changed() <-chan struct{} { return g.roster.watch() }
