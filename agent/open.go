package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/hashicorp/raft"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/musterhq/muster/agent/boltstore"
	"github.com/musterhq/muster/agent/datadir"
	"github.com/musterhq/muster/agent/gossip"
	"github.com/musterhq/muster/agent/mint"
	"github.com/musterhq/muster/agent/peerport"
	"github.com/musterhq/muster/agent/replica"
	"github.com/musterhq/muster/agent/snapshots"
	"github.com/musterhq/muster/agent/space"
	"github.com/musterhq/muster/discovery"
	httpd "github.com/musterhq/muster/http"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/poll"
)

func (a *Agent) openDirectory(context.Context) error {
	if a.cfg.Dev {
		a.id = mint.ID(a.cfg.Seams.Now())
		return nil
	}
	if err := datadir.Readable(a.cfg.DataDir); err != nil {
		return fmt.Errorf("this is muster %s: %w", a.cfg.Version, err)
	}
	dir, err := datadir.Open(a.cfg.DataDir, a.cfg.Group)
	if err != nil {
		return err
	}
	a.dir, a.id = dir, dir.ID()
	a.did("data directory", dir.Close)
	a.space = space.New(space.Config{Dir: dir.Path(), Stat: a.cfg.Seams.Space, Log: a.log})
	if dir.HasLeft() {
		return fmt.Errorf("the peer of data directory %s has left its group: start a new one with another -data-dir", dir.Path())
	}
	return nil
}

// openPort binds the peer port; it serves from Run on.
func (a *Agent) openPort(ctx context.Context) error {
	on, err := listen(ctx, a.cfg.Seams.PeerListener, a.cfg.PeerAddr)
	if err != nil {
		return fmt.Errorf("peer port: %w", err)
	}
	a.did("peer port", func() error { return ignoreClosed(on.Close()) })
	a.cfg.PeerAddr = on.Addr().String()
	a.machine = replica.New(a.id, a.ending.end)
	a.port, err = peerport.New(peerport.Config{
		ID: a.id, Group: a.groupID, Listener: on, Dial: a.cfg.Seams.PeerDial, Resolve: a.resolve,
		Handler: a.trace.Serve(a.handler()), Log: a.log, Registerer: a.cfg.Registerer,
		TLS: a.peerTLS(), Member: a.member, Open: openPaths, Outgoing: a.outgoing(),
	})
	return err
}

func listen(ctx context.Context, given net.Listener, addr string) (net.Listener, error) {
	if given != nil {
		return given, nil
	}
	return new(net.ListenConfig).Listen(ctx, "tcp", addr)
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// groupID is the group's id as far as this peer knows it: from its log, or from what it kept of an earlier life.
func (a *Agent) groupID() string {
	if id := a.machine.Read().Meta().Group; id != "" {
		return id
	}
	return a.dir.Group()
}

func (a *Agent) resolve(id string) (string, bool) {
	if id == a.id {
		return a.cfg.PeerAddr, true
	}
	return a.gossip.PeerAddr(id)
}

// openRaft opens log and snapshots, and makes raft, which begins at once to restore the state from them.
func (a *Agent) openRaft(ctx context.Context) error {
	conf := raft.DefaultConfig()
	conf.LocalID = raft.ServerID(a.id)
	conf.Logger = raftLogger(a.log)
	a.cfg.timing(conf)
	if err := a.openStores(); err != nil {
		return err
	}
	s := &a.cfg.Seams
	fresh, err := blank(s)
	if err != nil {
		return fmt.Errorf("read the log: %w", err)
	}
	if fresh && a.dir.Group() != "" {
		return fmt.Errorf("data directory %s belongs to a member of a group but its log is gone: a peer that forgot its votes may "+
			"not vote again. Wipe the directory; the peer then enters as a new one and takes the place of this one", a.dir.Path())
	}
	if fresh && a.cfg.BootstrapExpect == 0 && len(a.cfg.Join) == 0 {
		return errors.New("this peer has no log yet and is told neither to found a group nor to join one: " +
			"say -bootstrap-expect N to found a group of N voters together, or -join HOST:PORT to enter one " +
			"(-dev makes a group of one that forgets)")
	}
	a.transport = newIntake(raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		Stream: a.port.Streams(), MaxPool: 3, Timeout: 10 * time.Second, Logger: conf.Logger, MaxRPCsInFlight: oneAtATime,
	}), a.cfg.MaxSnapshot, a.log)
	a.did("raft transport", a.transport.Close)
	parts := RaftParts{Config: conf, FSM: a.machine, Snapshots: s.Snapshots, Transport: a.transport}
	if s.Raft != nil {
		s.Raft(&parts)
	}
	a.wire = parts.Transport
	if a.logs, err = fitLogs(s.Logs, parts.Snapshots); err != nil {
		return err
	}
	if err := a.startRaft(parts); err != nil {
		return fmt.Errorf("raft: %w", err)
	}
	a.leads, a.asker = a.raft.LeaderCh(), &asker{raft: a.raft}
	if fresh && a.cfg.BootstrapExpect > 0 && !a.cfg.Worker {
		return a.makeFounder(ctx)
	}
	return nil
}

// oneAtATime has raft send entries to a peer when it has answered the ones before, all that have come together. Were they sent
// without waiting, an answer of a later term would end who reads the answers while who sends waits for him: for ever, so that raft
// would not shut down, and the peer not stop.
const oneAtATime = 1

// startRaft makes raft, which restores the state before it returns. What keeps it from that is told as what it is: raft itself
// says only that no snapshot could be loaded, or panics with the error of an entry.
func (a *Agent) startRaft(parts RaftParts) (err error) {
	defer func() {
		if r := recover(); r != nil {
			cause, ok := r.(error)
			if !ok {
				cause = fmt.Errorf("raft: %v", r)
			}
			err = cause
		}
	}()
	a.raft, err = raft.NewRaft(parts.Config, parts.FSM, a.logs, a.cfg.Seams.Stable, parts.Snapshots, parts.Transport)
	if err == nil {
		a.logs.raft.Store(a.raft)
		a.did("raft", func() error { return a.raft.Shutdown().Error() })
	}
	if failed := a.machine.Failed(); failed != nil {
		return failed
	}
	if a.snapshots == nil {
		return err
	}
	if err != nil {
		return cmp.Or(a.snapshots.Damage(), err)
	}
	return a.snapshots.Settle()
}

// openStores opens what was not given.
func (a *Agent) openStores() error {
	s := &a.cfg.Seams
	if a.cfg.Dev {
		mem := raft.NewInmemStore()
		s.Logs, s.Stable, s.Snapshots = mem, mem, raft.NewInmemSnapshotStore()
		return nil
	}
	if s.Logs == nil {
		store, err := boltstore.Open(boltstore.Config{
			Path: a.dir.File(datadir.FileRaft), Registerer: a.cfg.Registerer, BeforeCommit: s.BeforeCommit,
		})
		if err != nil {
			return err
		}
		a.did("log store", store.Close)
		a.store, s.Logs, s.Stable = store, store, stable{store, store.Err}
	}
	if s.Snapshots == nil {
		cfg := snapshots.Config{
			Dir: a.dir.Path(), Logs: s.Logs, Log: a.log, Logger: raftLogger(a.log), Applied: func() uint64 { return a.logs.applied() },
		}
		if a.store != nil {
			cfg.Latched = a.store.Err
		}
		snaps, err := snapshots.Open(cfg)
		if err != nil {
			return err
		}
		a.snapshots, s.Snapshots = snaps, snaps
	}
	return nil
}

func (a *Agent) makeGossip(context.Context) error {
	if err := a.openKeyring(); err != nil {
		return err
	}
	allowed, err := prefixes("-gossip-allow", a.cfg.GossipAllow)
	if err != nil {
		return err
	}
	known, err := a.remembered()
	if err != nil {
		return err
	}
	timing := gossip.LAN()
	if host, _, _ := net.SplitHostPort(a.cfg.GossipAddr); onLoopback(host) {
		timing = gossip.Loopback()
	}
	if t := a.cfg.Seams.GossipTiming; t != nil {
		timing = *t
	}
	finders, err := a.finders()
	if err != nil {
		return err
	}
	a.gossip, err = gossip.New(gossip.Config{
		Self: gossip.Member{
			ID: a.id, Name: a.cfg.Name, Group: a.groupID(), Version: a.cfg.Version,
			PeerAddr: a.cfg.PeerAddr, HTTPAddr: a.cfg.HTTPAddr,
			Worker: a.cfg.Worker, Expect: a.cfg.BootstrapExpect, Labels: a.cfg.Labels, ACL: a.cfg.ACL,
		},
		GroupName: a.cfg.Group, Bind: a.cfg.GossipAddr, Transport: a.cfg.Seams.Gossip,
		Keyring: a.keys.Memberlist(), Allowed: allowed, Finders: finders,
		Insecure: a.cfg.Insecure, Remembered: known, Timings: timing, Log: a.log, Registerer: a.cfg.Registerer,
	})
	return err
}

func (a *Agent) makeWorkers(context.Context) error {
	polls, open, _ := shared(openFiles())
	rules, err := a.dialRules()
	if err != nil {
		return err
	}
	a.poller, err = poll.New(poll.Config{
		Rules: rules, Dial: a.cfg.Seams.ProbeDial, MaxOpen: open, Registerer: a.cfg.Registerer,
	})
	if err != nil {
		return err
	}
	work := refresh.WorkerConfig{
		Claims: a.machine.Polls(), Log: a, Replica: a.machine, Probers: a.probers(),
		Logger: a.log, Registerer: a.cfg.Registerer, MaxPolls: polls,
	}
	runs := discovery.RunnerConfig{
		Peer: a.id, Claims: a.machine.Runs(), Log: a, Replica: a.machine, Backends: a.cfg.Backends,
		Env: discovery.Env{Log: a.log}, Registerer: a.cfg.Registerer,
	}
	if a.trace != nil {
		work.Tracer, runs.Tracer = a.trace, a.trace
	}
	if a.worker, err = refresh.NewWorker(work); err != nil {
		return err
	}
	a.runner, err = discovery.NewRunner(runs)
	return err
}

// openFaceAddr binds the API's address; it serves from Run on.
func (a *Agent) openFaceAddr(ctx context.Context) error {
	on, err := listen(ctx, a.cfg.Seams.HTTPListener, a.cfg.HTTPAddr)
	if err != nil {
		return fmt.Errorf("http: %w", err)
	}
	a.did("http", func() error { return ignoreClosed(on.Close()) })
	a.faceOn, a.cfg.HTTPAddr = on, on.Addr().String()
	return nil
}

func (a *Agent) makeFace(context.Context) error {
	_, _, waiting := shared(openFiles())
	var err error
	if a.metrics, err = newMetrics(a); err != nil {
		return err
	}
	face := httpd.Config{
		Replica: replicaFace{a}, Log: a, Clock: replicaFace{a}, Rules: a, Work: a, Backups: backupsFace{a},
		Members: membersFace{a}, Raft: raftFace{a}, Life: lifeFace{a}, Access: accessFace{a}, Keys: keysFace{a}, Journal: journalFace{a}, Inside: insideFace{a}, ACL: a.cfg.ACL,
		Metrics:    promhttp.HandlerFor(a.cfg.Gatherer, promhttp.HandlerOpts{ErrorLog: slog.NewLogLogger(a.log.Handler(), slog.LevelWarn)}),
		Registerer: a.cfg.Registerer, Logger: a.log, Debug: a.cfg.Debug, MaxWaiting: waiting, TLS: a.apiTLS(),
		MaxConnsPerIP: a.cfg.HTTPMaxConns, MaxRate: a.cfg.HTTPMaxRate,
	}
	if a.trace != nil {
		face.Tracer = a.trace
	}
	a.face, err = httpd.New(face)
	return err
}
