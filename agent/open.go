package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/musterhq/muster/agent/datadir"
	"github.com/musterhq/muster/agent/gossip"
	"github.com/musterhq/muster/agent/host"
	"github.com/musterhq/muster/agent/mint"
	"github.com/musterhq/muster/agent/peerport"
	"github.com/musterhq/muster/agent/replica"
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
	a.machine = replica.New(a.id, a.ending.End)
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
		return a.cfg.outwardPeer().String(), true
	}
	return a.gossip.PeerAddr(id)
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
	if host, _ := a.cfg.outwardGossip().parts(); onLoopback(host) {
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
			PeerAddr: a.cfg.outwardPeer().String(), HTTPAddr: a.cfg.outwardHTTP().String(),
			Worker: a.cfg.Worker, Expect: a.cfg.BootstrapExpect, Labels: a.cfg.Labels, ACL: a.cfg.ACL,
		},
		GroupName: a.cfg.Group, Bind: a.cfg.GossipAddr, Advertise: a.cfg.advertisedGossip(), Transport: a.cfg.Seams.Gossip,
		Keyring: a.keys.Memberlist(), Allowed: allowed, Finders: finders,
		Insecure: a.cfg.Insecure, Remembered: known, Timings: timing, Log: a.log, Registerer: a.cfg.Registerer,
	})
	return err
}

func (a *Agent) makeWorkers(context.Context) error {
	polls, open, _ := shared(host.MostFiles())
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
	_, _, waiting := shared(host.MostFiles())
	var err error
	if a.metrics, err = newMetrics(a); err != nil {
		return err
	}
	scraped := promhttp.HandlerOpts{ErrorLog: slog.NewLogLogger(a.log.Handler(), slog.LevelWarn)}
	face := httpd.Config{
		Replica: replicaFace{a}, Log: a, Clock: replicaFace{a}, Rules: a, Work: a, Backups: backupsFace{a},
		Members: membersFace{a}, Raft: raftFace{a}, Life: lifeFace{a}, Access: accessFace{a}, Keys: keysFace{a},
		Journal: journalFace{a}, Inside: insideFace{a},
		Metrics: promhttp.HandlerFor(a.cfg.Gatherer, scraped), Registerer: a.cfg.Registerer, Logger: a.log,
		ACL: a.cfg.ACL, TLS: a.apiTLS(), Hosts: a.cfg.names(), Debug: a.cfg.Debug,
		MaxWaiting: waiting, MaxConnsPerIP: a.cfg.HTTPMaxConns, MaxRate: a.cfg.HTTPMaxRate,
	}
	if a.trace != nil {
		face.Tracer = a.trace
	}
	a.face, err = httpd.New(face)
	return err
}

// shared divides open files: one in sixteen is for requests that wait, some are for other peers and the disk, and all others for
// connections to nodes, kept ones and those of polls under way. As many polls as a quarter may be under way at once.
func shared(files int) (polls, open, waiting int) {
	const others = 256
	waiting = min(files/16, 4096)
	return min(files/4, 16_384), max(files/2, files-waiting-others), waiting
}
