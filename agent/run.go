package agent

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/agent/gossip"
	"github.com/musterhq/muster/fsm"
)

const (
	stopWait     = 5 * time.Second // for giving claims back and leadership over
	transferTry  = 3
	rememberEach = 5 * time.Second
)

var (
	errLeft    = errors.New("this peer has left the group")
	errRemoved = errors.New("this peer was removed from the group; to come back it needs a new -data-dir")
)

// background runs parts of a peer and waits for them.
type background struct {
	wg   sync.WaitGroup
	stop context.CancelFunc
	ctx  context.Context
	end  context.CancelCauseFunc // a part that fails ends the peer
}

func newBackground(ctx context.Context, end context.CancelCauseFunc) *background {
	b := &background{end: end}
	b.ctx, b.stop = context.WithCancel(ctx)
	return b
}

func (b *background) goes(name string, run func(context.Context) error) {
	b.wg.Go(func() {
		if err := run(b.ctx); err != nil && b.ctx.Err() == nil {
			b.end(fmt.Errorf("%s: %w", name, err))
		}
	})
}

// halt ends the parts and returns when all have.
func (b *background) halt() {
	b.stop()
	b.wg.Wait()
}

// Run is the life of the peer until ctx ends, or until something happens after which it must not go on; that is its error.
// On the way out it stops taking work, gives its claims back, hands leadership over and says farewell, but stays a member.
func (a *Agent) Run(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, a.rollBack()) }()
	stopped := context.AfterFunc(ctx, func() { a.end(nil) })
	defer stopped()
	base := context.WithoutCancel(ctx)

	network := newBackground(base, a.end)
	defer network.halt()
	network.goes("peer port", a.port.Run)
	network.goes("gossip", a.gossip.Run)
	defer a.shutRaft()

	lead := newBackground(base, a.end)
	defer lead.halt()
	lead.goes("leadership", a.watchLeadership)
	lead.goes("report", a.report)

	work := newBackground(base, a.end)
	defer work.halt()
	work.goes("joining", a.enter)
	work.goes("remembering", a.remember)
	work.goes("watching raft", a.watchRaft)
	work.goes("work", a.work)
	work.goes("http", func(ctx context.Context) error { return a.face.Run(ctx, a.faceOn) })
	a.log.Info("peer started", "name", a.cfg.Name, "id", a.id, "http", a.cfg.HTTPAddr,
		"peer_port", a.cfg.PeerAddr, "gossip", a.cfg.GossipAddr)

	<-a.ended.Done()
	a.log.Info("peer stopping", "reason", context.Cause(a.ended))
	a.draining.Store(true)
	work.halt()
	a.farewell(base)
	return a.verdict()
}

// verdict is why the peer stopped, nil when it was asked to.
func (a *Agent) verdict() error {
	cause := context.Cause(a.ended)
	if errors.Is(cause, context.Canceled) || errors.Is(cause, errLeft) {
		return nil
	}
	return cause
}

// work does claims once the replica has caught up with the log, so that no ghosts of old claims are worked on, and gives
// them back in the end.
func (a *Agent) work(ctx context.Context) error {
	if err := a.catchUp(ctx); err != nil {
		return nil
	}
	a.caughtUp.Store(true)
	a.machine.polls.start()
	a.machine.runs.start()
	workers := newBackground(ctx, a.end)
	workers.goes("refreshes", a.worker.Run)
	workers.goes("runs", a.runner.Run)
	workers.wg.Wait()
	workers.stop()
	return nil
}

// catchUp waits until the leader says how far the log is and the replica is as far.
func (a *Agent) catchUp(ctx context.Context) error {
	for {
		if _, err := a.fresh(ctx); err == nil {
			return nil
		}
		if !pause(ctx, 100*time.Millisecond) {
			return context.Cause(ctx)
		}
	}
}

// farewell gives claims back, hands leadership over and tells the others, within stopWait.
func (a *Agent) farewell(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, stopWait)
	defer cancel()
	if a.raftIsDown() || a.machine.failed() != nil {
		return
	}
	a.giveBack(ctx)
	a.handOver(ctx)
	intent := gossip.Stopping
	if errors.Is(context.Cause(a.ended), errLeft) {
		intent = gossip.Leaving
	}
	if err := a.gossip.Leave(ctx, intent); err != nil {
		a.log.Warn("others were not told of the farewell", "error", err)
	}
}

// giveBack abandons the claims of this peer, so that nobody waits for their ttl.
func (a *Agent) giveBack(ctx context.Context) {
	abandon := &fsm.ClaimAbandon{Error: "the peer is stopping"}
	for c := range a.machine.Read().ClaimsOf(a.id) {
		abandon.Claims = append(abandon.Claims, c.Ticket())
	}
	if len(abandon.Claims) == 0 || a.leaderID() == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, stopWait/3)
	defer cancel()
	if _, err := a.Propose(ctx, abandon); err != nil {
		a.log.Warn("claims were not given back, their ttl will free them", "claims", len(abandon.Claims), "error", err)
	}
}

// handOver moves leadership to another voter, if this peer leads and there is one.
func (a *Agent) handOver(ctx context.Context) {
	for try := 0; try < transferTry && a.raft.State() == raft.Leader && ctx.Err() == nil; try++ {
		if voters, err := a.otherVoters(); err != nil || voters == 0 {
			return
		}
		if err := a.raft.LeadershipTransfer().Error(); err != nil {
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

// shutRaft ends raft and its streams, in the order that lets every future have its answer.
func (a *Agent) shutRaft() {
	if err := a.raft.Shutdown().Error(); err != nil {
		a.log.Warn("raft did not shut down", "error", err)
	}
	if err := a.transport.Close(); err != nil {
		a.log.Warn("raft transport did not close", "error", err)
	}
	a.transport.CloseStreams()
	a.port.Streams().CloseStreams()
}

// watchRaft ends the peer when its disk or its state fails it, when it was removed, and snapshots early when entries are
// large.
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
			return errRemoved
		}
		if a.machine.logBytes() > snapshotBytes {
			if err := a.raft.Snapshot().Error(); err != nil && !errors.Is(err, raft.ErrNothingNewToSnapshot) {
				a.log.Warn("snapshot was not taken", "error", err)
			}
		}
	}
}
