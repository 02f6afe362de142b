package discovery

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/musterhq/muster/fsm"
)

// watched is one watch under way.
type watched struct {
	settings uint64 // of the discovery it was started for
	cancel   context.CancelFunc
	ended    chan struct{}
}

// watch keeps the watches of this peer in step with the state until ctx ends.
func (r *Runner) watch(ctx context.Context) {
	watches := map[uint64]*watched{}
	defer func() {
		for id := range watches {
			stopWatch(watches, id)
		}
	}()
	for {
		read := r.cfg.Replica.Read()
		discoveries, peers := read.Wait(fsm.SetDiscoveries), read.Wait(fsm.SetPeers)
		mine := r.mine(read)
		for id, w := range watches {
			if d := mine[id]; d == nil || d.Settings != w.settings {
				stopWatch(watches, id)
			}
		}
		for id, d := range mine {
			if watches[id] == nil {
				watches[id] = r.startWatch(ctx, d)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-discoveries.Changed:
		case <-peers.Changed:
		case <-peers.Abandoned:
		}
	}
}

func stopWatch(watches map[uint64]*watched, id uint64) {
	watches[id].cancel()
	<-watches[id].ended
	delete(watches, id)
}

// mine are the discoveries that this peer is to watch: the leader those that any peer may run, since what it learns it may
// grant at once; where `on` shuts it out, and for what each peer sees on its own disk, the first allowed peer that is alive.
func (r *Runner) mine(read *fsm.Reader) map[uint64]*fsm.Discovery {
	out := map[uint64]*fsm.Discovery{}
	leader := read.Peer(read.Meta().Leader)
	for d := range read.Discoveries("") {
		if !d.Spec.Enabled || d.Deleting {
			continue
		}
		if watcher := watcherOf(read, d, leader); watcher != nil && watcher.ID == r.cfg.Peer {
			out[d.ID] = d
		}
	}
	return out
}

func watcherOf(read *fsm.Reader, d *fsm.Discovery, leader *fsm.Peer) *fsm.Peer {
	if d.Spec.Backend != backendFile && leader != nil && fsm.Allows(d.Spec.On, leader) {
		return leader
	}
	for p := range read.Peers() {
		if p.Status == fsm.PeerAlive && fsm.Allows(d.Spec.On, p) {
			return p
		}
	}
	return nil
}

// backendFile is the backend whose sources are each peer's own.
const backendFile = "file"

func (r *Runner) startWatch(ctx context.Context, d *fsm.Discovery) *watched {
	ctx, cancel := context.WithCancel(ctx)
	w := &watched{settings: d.Settings, cancel: cancel, ended: make(chan struct{})}
	go func() {
		defer close(w.ended)
		if err := r.watchOne(ctx, d); err != nil && ctx.Err() == nil {
			r.log.Warn("watch ended; only full runs see what changes", "discovery", d.Name, "error", err)
		}
	}()
	return w
}

// watchOne watches one source and turns what moves into nudged runs.
func (r *Runner) watchOne(ctx context.Context, d *fsm.Discovery) error {
	backend, done, err := r.opened.use(d.Spec)
	if err != nil {
		return err
	}
	defer done()
	w, ok := backend.(Watcher)
	if !ok {
		return nil
	}
	n := r.nudges.open(d.ID)
	defer r.nudges.close(d.ID)
	var ask sync.WaitGroup
	defer ask.Wait()
	ask.Go(func() { r.askRuns(ctx, d, n) })
	return w.Watch(ctx, func(names []string) {
		r.metrics.nudges.Inc()
		n.add(names)
	})
}

// askRuns asks for a run by this peer of what moved. Nudges that meet an open run, or a pause, are kept and run when it closes
// or ends.
func (r *Runner) askRuns(ctx context.Context, d *fsm.Discovery, n *nudged) {
	var backoff Backoff
	for {
		select {
		case <-ctx.Done():
			return
		case <-n.moved:
		}
		if !n.pace(ctx, &backoff) {
			return
		}
		names := n.take()
		if len(names) == 0 {
			continue
		}
		if err := r.askRun(ctx, d, names); err != nil {
			n.add(names)
			if !errors.Is(err, fsm.ErrClaimed) {
				r.log.Debug("nudge was not granted", "discovery", d.Name, "error", err)
			}
			r.awaitClose(ctx, fsm.Subject{Kind: fsm.KindRun, ID: d.ID})
		}
	}
}

func (r *Runner) askRun(ctx context.Context, d *fsm.Discovery, names []string) error {
	if p := r.cfg.Replica.Read().Settings().Pause; p != nil {
		return p.Refusal() // and no entry for each try
	}
	grant := &fsm.ClaimGrant{
		Kind: fsm.KindRun, Peer: r.cfg.Peer, TTL: 75 * fsm.Second, Reason: fsm.WhyNudge, IDs: []uint64{d.ID}, Names: names,
	}
	if len(names) > MaxNames {
		grant.Reason, grant.Names = fsm.WhyDue, nil
	}
	res, err := r.cfg.Log.Propose(ctx, grant)
	if err != nil {
		return err
	}
	return res.Err()
}

// awaitClose returns when the subject's open claim has closed, or after a second when there is none: then the leader was
// not there to grant one.
func (r *Runner) awaitClose(ctx context.Context, s fsm.Subject) {
	read := r.cfg.Replica.Read()
	if read.Claim(s) == nil {
		pause := time.NewTimer(time.Second)
		defer pause.Stop()
		select {
		case <-ctx.Done():
		case <-pause.C:
		}
		return
	}
	for ctx.Err() == nil && read.Claim(s) != nil {
		w := read.Wait(fsm.SetClaims)
		select {
		case <-ctx.Done():
		case <-w.Changed:
		case <-w.Abandoned:
		}
		read = r.cfg.Replica.Read()
	}
}
