package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/agent/boltstore"
	"github.com/musterhq/muster/agent/bootstrap"
	"github.com/musterhq/muster/agent/cert"
	"github.com/musterhq/muster/agent/consensus"
	"github.com/musterhq/muster/agent/consul"
	"github.com/musterhq/muster/agent/datadir"
	"github.com/musterhq/muster/agent/gossip"
	"github.com/musterhq/muster/agent/keyring"
	"github.com/musterhq/muster/agent/life"
	"github.com/musterhq/muster/agent/monitor"
	"github.com/musterhq/muster/agent/peerport"
	"github.com/musterhq/muster/agent/replica"
	"github.com/musterhq/muster/agent/snapshots"
	"github.com/musterhq/muster/agent/space"
	"github.com/musterhq/muster/agent/trace"
	"github.com/musterhq/muster/discovery"
	httpd "github.com/musterhq/muster/http"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/poll"
)

// Agent is one running peer. New makes it, Run is its life.
type Agent struct {
	cfg     Config
	id      string
	log     *slog.Logger
	dir     *datadir.Dir // nil with Dev
	started time.Time

	machine   *replica.Machine
	certs     *cert.Certificates // nil without TLS
	port      *peerport.Port
	keys      *keyring.Ring // of gossip; nil in the clear
	gossip    *gossip.Gossip
	founder   *bootstrap.Founder // nil when there is a log, or nothing to found
	store     *boltstore.Store   // nil when the log store was given
	logs      *consensus.Logs    // as raft has them
	snapshots *snapshots.Store   // nil when the snapshot store was given
	space     *space.Watch       // of the data directory, nil with Dev
	transport *consensus.Transport
	wire      raft.Transport // transport, or what a test put around it
	raft      *raft.Raft
	leads     <-chan bool // raft's signals of leadership
	asker     *consensus.Asker
	leaders   *consensus.Leaders
	runner    *discovery.Runner
	worker    *refresh.Worker
	poller    *poll.Client
	face      *httpd.Server
	faceOn    net.Listener
	metrics   *metrics
	monitor   *monitor.Monitor // of log
	trace     *trace.Tracer    // nil while nothing is traced

	registration *consul.Registration // nil where this peer is not to be registered

	term      atomic.Pointer[term] // while this peer leads and its barrier has returned
	caughtUp  atomic.Bool
	draining  atomic.Bool
	leaving   atomic.Bool
	live      atomic.Pointer[live]
	reloading sync.Mutex
	restoring sync.Mutex // held while a backup is read here and put in place
	reloads   reloads
	restores  chan *restore
	heralds   sync.WaitGroup // news on its way to other peers
	ending    *life.Ending
	undo      []step // of New, last first
}

// step is something that New did, by name, and how it is undone.
type step struct {
	name string
	undo func() error
}

// New makes a peer: it opens the data directory, the log and the listeners, and starts nothing but raft, which cannot be
// made without starting it. What fails half-way is undone.
func New(ctx context.Context, cfg Config) (*Agent, error) {
	cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	watched, err := monitor.New(cfg.Registerer)
	if err != nil {
		return nil, err
	}
	cfg.Log = slog.New(watched.Handler(cfg.Log.Handler()))
	a := &Agent{
		cfg: cfg, log: cfg.Log, monitor: watched, started: cfg.Seams.Now(),
		ending: life.NewEnding(), restores: make(chan *restore),
	}
	a.live.Store(a.cfg.live())
	for _, open := range []func(context.Context) error{
		a.openDirectory, a.openTrace, a.openCertificates, a.openPort, a.openFaceAddr, a.makeGossip, a.openRaft, a.makeWorkers, a.makeFace,
		a.makeRegistration,
	} {
		if err := open(ctx); err != nil {
			return nil, errors.Join(err, a.rollBack())
		}
	}
	return a, nil
}

func (a *Agent) did(name string, undo func() error) { a.undo = append(a.undo, step{name, undo}) }

// rollBack undoes the steps of New, last first.
func (a *Agent) rollBack() error {
	var errs []error
	for _, s := range slices.Backward(a.undo) {
		if err := s.undo(); err != nil {
			errs = append(errs, fmt.Errorf("close %s: %w", s.name, err))
		}
	}
	a.undo = nil
	return errors.Join(errs...)
}

// HTTPAddr is the address of the API, with the port that was taken where the configuration said 0.
func (a *Agent) HTTPAddr() string { return a.cfg.HTTPAddr }

// GossipAddr is the address other peers join, empty until gossip is on the network.
func (a *Agent) GossipAddr() string { return a.gossip.Addr() }
