package agent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/agent/gossip"
	"github.com/musterhq/muster/agent/life"
	"github.com/musterhq/muster/fsm"
)

const (
	snapshotBytes = 16 << 20  // of log: then a snapshot is taken before its entries are that many
	snapshotAtEnd = 256 << 10 // of log: then a peer that stops takes one, so that its next start is short

	stopWait     = 5 * time.Second // for giving claims back and leadership over
	transferTry  = 3
	rememberEach = 5 * time.Second
)

var (
	errLeft    = errors.New("this peer has left the group")
	errRemoved = errors.New("this peer was removed from the group; to come back it needs a new -data-dir")
)

// Run is the life of the peer until ctx ends, or until something happens after which it must not go on; that is its error.
// On the way out it stops taking work, gives its claims back, hands leadership over and says farewell, but stays a member.
func (a *Agent) Run(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, a.rollBack()) }()
	stopped := context.AfterFunc(ctx, func() { a.ending.End(nil) })
	defer stopped()
	base := context.WithoutCancel(ctx)
	end := a.ending.End

	traces := life.Start(base, end, life.Parts{"traces": a.trace.Run})
	defer traces.Halt()
	network := life.Start(base, end, life.Parts{"peer port": a.port.Run, "gossip": a.gossip.Run, "certificates": a.watchCertificates})
	defer network.Halt()
	defer a.shutRaft()
	lead := life.Start(base, end, life.Parts{
		"leadership": a.watchLeadership, "turnover": a.leaders.Watch, "report": a.report, "room": a.watchSpace,
	})
	defer lead.Halt()
	work := life.Start(base, end, life.Parts{
		"joining": a.enter, "remembering": a.remember, "watching raft": a.watchRaft,
		"watching its place": a.watchPlace, "work": a.work,
		"guarding the data":   func(ctx context.Context) error { return a.dir.KeepGuard(ctx, a.machine, a.cfg.Version) },
		"looking for discord": a.watchDiscord, "registration": a.keepRegistered,
		"declaring": func(ctx context.Context) error { return a.whileLive(ctx, anything, a.declare) },
		"http":      func(ctx context.Context) error { return a.face.Run(ctx, a.faceOn) },
	})
	defer work.Halt()
	a.log.Info("peer started", "name", a.cfg.Name, "id", a.id, "http", a.cfg.HTTPAddr,
		"peer_port", a.cfg.PeerAddr, "gossip", a.cfg.GossipAddr)
	if a.cfg.Advertise != (Advertise{}) {
		a.log.Info("others are told of other addresses", "http", a.cfg.outwardHTTP().String(),
			"peer_port", a.cfg.outwardPeer().String(), "gossip", a.cfg.outwardGossip().String())
	}

	<-a.ending.Done()
	a.log.Info("peer stopping", "reason", a.ending.Why())
	a.draining.Store(true)
	work.Halt()
	a.farewell(base)
	a.keep()
	return a.verdict()
}

// watchSpace looks how much room there is, where there is a disk.
func (a *Agent) watchSpace(ctx context.Context) error {
	if a.space == nil {
		return nil
	}
	return a.space.Run(ctx)
}

// verdict is why the peer stopped, nil when it was asked to.
func (a *Agent) verdict() error {
	switch cause := a.ending.Cause(); {
	case errors.Is(cause, errLeft):
		return nil
	case errors.Is(cause, errRemoved):
		return errRemoved // which part of the peer saw it is no matter
	case errors.Is(cause, fsm.ErrNewer):
		return fmt.Errorf("%w. This is muster %s, which understands feature level %d: start a later release on this data directory",
			cause, a.cfg.Version, a.machine.Level)
	default:
		return cause
	}
}

// work does claims once the replica has caught up with the log, so that no ghosts of old claims are worked on, and gives
// them back in the end.
func (a *Agent) work(ctx context.Context) error {
	if !a.catchUp(ctx) {
		return nil
	}
	a.caughtUp.Store(true)
	a.machine.OpenClaims()
	workers := life.Start(ctx, a.ending.End, life.Parts{"refreshes": a.worker.Run, "runs": a.runner.Run})
	workers.Wait()
	return nil
}

// catchUp waits until the leader says how far the log is and the replica is as far; false when ctx ended first.
func (a *Agent) catchUp(ctx context.Context) bool {
	for {
		if _, err := a.fresh(ctx); err == nil {
			return true
		}
		if !life.Pause(ctx, 100*time.Millisecond) {
			return false
		}
	}
}

// farewell gives claims back, hands leadership over and tells the others, within stopWait.
func (a *Agent) farewell(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, stopWait)
	defer cancel()
	if !a.raftIsDown() && a.machine.Failed() == nil {
		a.reportOnce(ctx) // that it is idle: it gets no more claims
		a.giveBack(ctx)
		a.handOver(ctx)
	}
	intent := gossip.Stopping
	if errors.Is(a.ending.Cause(), errLeft) {
		intent = gossip.Leaving
	}
	if err := a.gossip.Leave(ctx, intent); err != nil {
		a.log.Warn("others were not told of the farewell", "error", err)
	}
}

// giveBack abandons the claims of this peer, so that nobody waits for their ttl. It goes on until the replica holds none at
// an entry proposed after the leader knew that this peer stops: what was granted before is in the log by then.
func (a *Agent) giveBack(ctx context.Context) {
	if a.leaders.ID() == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, stopWait/3)
	defer cancel()
	abandon := a.abandonment()
	for {
		res, err := a.Propose(ctx, abandon)
		if err == nil {
			err = a.machine.WaitIndex(ctx, res.Index)
		}
		if err != nil {
			a.log.Warn("claims were not given back, their ttl will free them", "claims", len(abandon.Claims), "error", err)
			return
		}
		if abandon = a.abandonment(); len(abandon.Claims) == 0 {
			return
		}
	}
}

// abandonment gives back the claims that this peer holds by its replica.
func (a *Agent) abandonment() *fsm.ClaimAbandon {
	abandon := &fsm.ClaimAbandon{Error: "the peer is stopping"}
	for c := range a.machine.Read().ClaimsOf(a.id) {
		abandon.Claims = append(abandon.Claims, c.Ticket())
	}
	return abandon
}

// handOver moves leadership to another voter, if this peer leads and there is one.
func (a *Agent) handOver(ctx context.Context) {
	for try := 0; try < transferTry && a.raft.State() == raft.Leader && ctx.Err() == nil; try++ {
		if voters, err := a.otherVoters(); err != nil || voters == 0 {
			return
		}
		if err := a.asker.HandOver(ctx, ""); err != nil {
			a.log.Warn("leadership was not handed over", "error", err)
			continue
		}
		return
	}
}

func (a *Agent) otherVoters() (int, error) {
	servers, err := a.configuration()
	n := 0
	for _, s := range servers {
		if s.Suffrage == raft.Voter && string(s.ID) != a.id {
			n++
		}
	}
	return n, err
}

// keep takes a snapshot when so much was applied since the last one that the next start would take long to apply it again.
// It comes last, when no other peer waits for this one. A peer that left, or that failed, has no next start.
func (a *Agent) keep() {
	if a.ending.Cause() != nil || a.raftIsDown() || a.machine.LogBytes() <= snapshotAtEnd {
		return
	}
	a.snapshot()
}

// snapshot has raft take one now.
func (a *Agent) snapshot() {
	if err := a.raft.Snapshot().Error(); err != nil && !errors.Is(err, raft.ErrNothingNewToSnapshot) {
		a.log.Warn("snapshot was not taken", "error", err)
	}
}

// snapshotBytes is how large the newest snapshot is, 0 where there is none or no disk.
func (a *Agent) snapshotBytes() int64 {
	if a.snapshots == nil {
		return 0
	}
	return a.snapshots.Bytes()
}

// snapshotsRefused counts what the leader sent and was not taken up.
func (a *Agent) snapshotsRefused() int64 {
	n := a.transport.Refused()
	if a.snapshots != nil {
		n += a.snapshots.Refused()
	}
	return n
}

// snapshotsDamaged counts what was found damaged since this peer started.
func (a *Agent) snapshotsDamaged() int64 {
	if a.snapshots == nil {
		return 0
	}
	return a.snapshots.Damaged()
}

// shutRaft ends raft and its streams, in the order that lets every future have its answer.
func (a *Agent) shutRaft() {
	a.asker.Close()
	if err := a.raft.Shutdown().Error(); err != nil {
		a.log.Warn("raft did not shut down", "error", err)
	}
	if err := a.transport.Close(); err != nil {
		a.log.Warn("raft transport did not close", "error", err)
	}
	a.transport.CloseStreams()
	a.port.Streams().CloseStreams()
	a.heralds.Wait()
}

// watchRaft ends the peer when its disk or its state fails it, when it was removed, and snapshots early when entries are
// large or the last one was found damaged.
func (a *Agent) watchRaft(ctx context.Context) error {
	var latched <-chan struct{}
	if a.store != nil {
		latched = a.store.Latched()
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-latched:
			return a.store.Err()
		case <-tick.C:
		}
		if a.raftIsDown() {
			if a.leaving.Load() {
				continue // it was asked for: Leave ends the peer, or says that it could not
			}
			return errRemoved
		}
		if a.machine.LogBytes() > snapshotBytes || a.snapshots != nil && a.snapshots.Spoiled() {
			a.snapshot()
		}
	}
}
