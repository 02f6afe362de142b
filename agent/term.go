package agent

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
	"golang.org/x/sync/errgroup"

	"github.com/musterhq/muster/agent/consensus"
	"github.com/musterhq/muster/agent/entries"
	"github.com/musterhq/muster/agent/life"
	"github.com/musterhq/muster/agent/mint"
	"github.com/musterhq/muster/fsm"
)

// term is what a leader has while it leads: everything leader-only begins in lead and has ended when lead returns.
type term struct {
	agent   *Agent
	number  uint64    // raft's
	began   time.Time // for its monotonic reading only
	clock   *entries.Clock
	batch   *entries.Batch
	hearing *hearing
	pulse   *consensus.Pulse
	keyring chan struct{}             // held while a step is taken on the peers' keyrings
	joining sync.Mutex                // held while a server is added, or the feature level raised to what all servers understand
	full    atomic.Pointer[fsm.Error] // why operators' writes are refused
}

const (
	barrierWait = 30 * time.Second
	leadAgain   = time.Second // after a term that could not be opened
)

// watchLeadership runs lead for each term. Raft merges its signals, so that true after true means lost and regained: on
// every signal the work is stopped and joined, and begun anew when this peer leads. A restore comes between two terms' work.
func (a *Agent) watchLeadership(ctx context.Context) error {
	stop := func() {}
	defer func() { stop() }()
	for {
		select {
		case <-ctx.Done():
			return nil
		case leads := <-a.leads:
			stop()
			stop = func() {}
			if leads {
				stop = a.begin(ctx)
			}
		case r := <-a.restores:
			stop()
			stop = func() {}
			a.takeUp(r)
			if a.raft.State() == raft.Leader {
				stop = a.begin(ctx)
			}
		}
	}
}

// begin starts lead and returns what stops and joins it. A term that could not be opened is given up; where nobody takes
// leadership it is opened again, since a peer that leads and does nothing would stop the group.
func (a *Agent) begin(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			err := a.lead(ctx)
			if err == nil || ctx.Err() != nil {
				return
			}
			a.log.Warn("leading ended early, giving leadership up", "error", err)
			if err := a.asker.HandOver(ctx, ""); err != nil {
				a.log.Warn("leadership was not given up", "error", err)
			}
			if !life.Pause(ctx, leadAgain) {
				return
			}
		}
	}()
	return func() {
		cancel()
		<-ended
	}
}

// lead is the work of one leader for one term. The barrier comes first: the state has then caught up with all that earlier
// leaders committed.
func (a *Agent) lead(ctx context.Context) error {
	number := a.raft.CurrentTerm()
	if err := a.raft.Barrier(barrierWait).Error(); err != nil {
		return fmt.Errorf("barrier: %w", err)
	}
	t := &term{
		agent: a, number: number, began: time.Now(), clock: entries.NewClock(a.cfg.Seams.Now, a.machine.Read().Meta().Time),
		hearing: newHearing(), pulse: consensus.NewPulse(), keyring: make(chan struct{}, 1),
	}
	t.batch = entries.New(a.raft, a.machine, t.clock, t.lasts)
	t.batch.Granted = a.granted(ctx)
	if err := t.open(); err != nil {
		return err
	}
	a.log.Info("leading", "term", t.number)
	work, ctx := errgroup.WithContext(ctx)
	work.Go(func() error { return t.batch.Run(ctx) })
	work.Go(func() error { return t.pulse.Run(ctx) })
	a.term.Store(t)
	work.Go(func() error { return t.schedule(ctx) })
	work.Go(func() error { return t.reconcile(ctx) })
	work.Go(func() error { return t.retain(ctx) })
	work.Go(func() error { return t.keepBackups(ctx) })
	work.Go(func() error { return t.clocks(ctx) })
	work.Go(func() error { return t.watchRoom(ctx) })
	work.Go(func() error { return t.herald(ctx) })
	err := work.Wait()
	a.term.Store(nil)
	t.batch.Settle()
	a.log.Info("not leading any more")
	return err
}

// open writes the first commands of a term: the group, if this is its first leader, and who leads.
func (t *term) open() error {
	a := t.agent
	commands := []fsm.Command{}
	if a.machine.Read().Meta().Group == "" {
		commands = append(commands, &fsm.GroupCreate{
			Group: mint.ID(a.cfg.Seams.Now()), Epoch: mint.ID(a.cfg.Seams.Now()), Feature: fsm.BirthLevel,
		})
	}
	commands = append(commands,
		&fsm.PeerSet{Peer: a.row()},
		&fsm.LeaderChange{ID: a.id, Name: a.cfg.Name, Term: t.number})
	frames := make([][]byte, 0, len(commands))
	for _, c := range commands {
		frames = append(frames, fsm.Frame(c))
	}
	first := entries.NewProposal(slices.Concat(frames...), len(frames))
	t.batch.Open(first)
	<-first.Done()
	if first.Err != nil {
		return fmt.Errorf("open the term: %w", first.Err)
	}
	return nil
}

// lasts says whether raft is still in this term. Leadership that was lost and regained is another one, whose barrier has not
// returned, and raft's signal of it may be late.
func (t *term) lasts() bool { return t.agent.raft.CurrentTerm() == t.number }

// propose puts frames into the log and waits for their results.
func (t *term) propose(ctx context.Context, frames []byte, count int, late bool) ([]fsm.Result, error) {
	_, step := t.agent.trace.Step(ctx, "commit")
	t.ripe(ctx, frames)
	p := entries.NewProposal(frames, count)
	t.batch.Add(p, late)
	select {
	case <-p.Done():
		if len(p.Results) > 0 {
			step.Count("muster.entry", int(p.Results[0].Index))
		}
		step.End(p.Err)
		return p.Results, p.Err
	case <-ctx.Done():
		err := fmt.Errorf("wait for the log: %w", context.Cause(ctx))
		step.End(err)
		return nil, err
	}
}

// do is propose for one command of the leader's own.
func (t *term) do(ctx context.Context, c fsm.Command) error {
	results, err := t.propose(ctx, fsm.Frame(c), 1, false)
	if err != nil {
		return err
	}
	return results[0].Err()
}

// raftIsDown says whether raft has ended under the agent.
func (a *Agent) raftIsDown() bool { return a.raft.State() == raft.Shutdown }
