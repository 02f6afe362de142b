package million

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"time"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

const beat = 250 * time.Millisecond // as the agent's

// Config is a group that is filled once and run under one or several loads.
type Config struct {
	Clusters, Nodes int // of a cluster
	Peers           int // at most that take claims
}

// Load is how a group is run.
type Load struct {
	Peers    int // that take claims
	Interval time.Duration
	Span     time.Duration // measured, after an interval that is not
	InFlight int           // polls of a peer at once, as in the settings
	Seed     uint64
}

// Size is how large a group's state is.
type Size struct {
	State     int     // bytes on the heap, without events
	Events    int     // bytes on the heap of those that are kept
	Snapshot  int     // bytes
	Writing   float64 // seconds of CPU to write a snapshot
	Restoring float64 // and to restore it
}

// Result is what a load took. CPU is in seconds of it, over the measured span.
type Result struct {
	Beat, Update   float64 // of the leader's scheduler
	Encode         float64 // of the leader's entries
	Apply          float64 // of the log, as every peer has it
	CPU            float64 // of the process, with all of the above, the virtual workers and the collector of garbage
	Refreshes      int
	Late           []float64 // seconds from a refresh's slot to its claim, of each
	Entries, Bytes int
	Proposals      int // of workers to the leader
	ProposalBytes  int
	OpenMost       int     // polls that one peer was given at once
	WaitingMost    int     // clusters that were due and had no peer
	TakeOver       float64 // seconds of CPU to make a scheduler
	SchedulerBytes int
}

// Group is a filled state and its log. It is for one goroutine.
type Group struct {
	Config
	Size
	state *fsm.State
	index uint64
	now   fsm.Time
	ids   []string // of the peers

	version int // of all nodes, the last part of it
}

// New fills the state of a group. No event is kept, and Size is known in part until Keep was called. It ends early with ctx, and
// so do Keep and Run, after which the group is of no more use.
func New(ctx context.Context, c Config) (*Group, error) {
	if c.Clusters < 1 || c.Nodes < 1 || c.Peers < 1 {
		return nil, errors.New("clusters, nodes and peers must be set")
	}
	g := &Group{Config: c, state: fsm.NewState(), index: 1, now: 1_700_000_000_000}
	before := heap()
	if err := g.fill(ctx); err != nil {
		return nil, fmt.Errorf("fill: %w", err)
	}
	g.State = heap() - before
	return g, nil
}

// Keep has so many events kept in the place of those that are, and measures the size anew.
func (g *Group) Keep(ctx context.Context, events int) error {
	if err := g.trim(0); err != nil {
		return err
	}
	before := heap()
	if err := g.tell(ctx, events); err != nil {
		return fmt.Errorf("%d events: %w", events, err)
	}
	g.Events = heap() - before
	return g.snapshot()
}

// sim is one load under way.
type sim struct {
	*Group
	Load
	Result
	began     fsm.Time // of the leader's term
	ready     []*fsm.Peer
	scheduler *refresh.Scheduler
	workers   workers
	runs      [][]byte   // completions of runs on their way
	done      []fsm.Time // when each cluster's last refresh was closed
}

// Run has a new leader take over and work under a load. The group can be run again afterwards.
func (g *Group) Run(ctx context.Context, l Load) (*Result, error) {
	if l.Peers < 1 || l.Peers > g.Peers || l.InFlight < 1 || l.Interval <= 0 || l.Span < beat {
		return nil, errors.New("peers, in flight, interval and span must be set, and no more peers than the group has")
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	s := &sim{Group: g, Load: l}
	if err := g.set(l); err != nil {
		return nil, err
	}
	s.takeOver()
	if err := s.run(ctx); err != nil {
		return nil, err
	}
	return &s.Result, nil
}

// takeOver begins the leader's term.
func (s *sim) takeOver() {
	s.began = s.now
	s.workers = workers{rng: rand.New(rand.NewPCG(s.Seed, 0)), given: map[string]int{}}
	r := s.state.Read()
	s.done = make([]fsm.Time, s.Clusters+1)
	for id := range s.done[1:] {
		s.done[id+1] = r.Schedule(fsm.Subject{Kind: fsm.KindRefresh, ID: uint64(id + 1)}).Done
	}
	before := heap()
	s.TakeOver = took(func() { s.scheduler = refresh.NewScheduler(r, refresh.Instant{Time: s.now}) })
	s.SchedulerBytes = heap() - before
	for _, id := range s.ids[:s.Load.Peers] {
		s.ready = append(s.ready, r.Peer(id))
	}
}

// run steps through an interval that is not measured and the span that is.
func (s *sim) run(ctx context.Context) error {
	cpu, counting := 0.0, false
	for mono := beat; mono <= s.Interval+s.Span; mono += beat {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if mono > s.Interval && !counting {
			counting = true
			s.Result = Result{TakeOver: s.TakeOver, SchedulerBytes: s.SchedulerBytes}
			cpu = processCPU()
		}
		if err := s.step(mono); err != nil {
			return err
		}
	}
	s.CPU = processCPU() - cpu
	if rest := append(s.workers.frames(math.MaxInt64), s.runs...); len(rest) > 0 {
		s.index++
		_, err := s.state.Apply(s.index, fsm.Entry(s.now, rest...))
		return err
	}
	return nil
}

// step is one beat of the leader: what workers have sent since the last and what the scheduler wants goes into the log.
func (s *sim) step(mono time.Duration) error {
	s.now = s.began.Add(fsm.DurationOf(mono))
	now := refresh.Instant{Time: s.now, Mono: mono}
	frames := s.workers.frames(mono)
	for _, f := range frames {
		s.Proposals++
		s.ProposalBytes += len(f)
	}
	frames, s.runs = append(frames, s.runs...), nil
	r := s.state.Read()
	var commands []fsm.Command
	s.Beat += took(func() { commands = s.scheduler.Beat(r, s.ready, now) })
	waiting, _ := s.scheduler.Backlog(now)
	s.WaitingMost = max(s.WaitingMost, waiting)
	if len(frames)+len(commands) == 0 {
		return nil
	}
	var entry []byte
	s.Encode += took(func() {
		for _, c := range commands {
			frames = append(frames, fsm.Frame(c))
		}
		entry = fsm.Entry(s.now, frames...)
	})
	s.Entries++
	s.Bytes += len(entry)
	var a *fsm.Applied
	var err error
	s.index++
	s.Apply += took(func() { a, err = s.state.Apply(s.index, entry) })
	if err != nil {
		return err
	}
	after := s.state.Read()
	s.Update += took(func() { s.scheduler.Update(after, a.Touched, now) })
	return s.follow(a, mono)
}

// follow has the workers see what was applied.
func (s *sim) follow(a *fsm.Applied, mono time.Duration) error {
	for _, res := range a.Results {
		if res.Error != nil {
			return fmt.Errorf("at %s: %w", mono, res.Err())
		}
	}
	for _, c := range a.Closed {
		if c.Subject.Kind == fsm.KindRun {
			continue
		}
		s.done[c.Subject.ID] = a.Time
		s.Refreshes++
		s.workers.given[c.Peer] -= s.Nodes
	}
	for _, c := range a.Granted {
		if c.Subject.Kind == fsm.KindRun { // of the discovery, which finds nothing new
			s.runs = append(s.runs, fsm.Frame(&fsm.RunComplete{
				Discovery: c.Subject.ID, Settings: c.Base, Token: c.Token, Outcome: &fsm.RunOutcome{Records: s.Clusters * s.Nodes},
			}))
			continue
		}
		if c.Reason != fsm.WhyDue {
			return fmt.Errorf("at %s: a refresh because of %q", mono, c.Reason)
		}
		due := fsm.NextSlot(c.Subject, fsm.DurationOf(s.Interval), s.done[c.Subject.ID])
		s.Late = append(s.Late, c.Granted.Sub(due).Std().Seconds())
		s.workers.given[c.Peer] += s.Nodes
		s.OpenMost = max(s.OpenMost, s.workers.given[c.Peer])
		s.workers.take(c, mono, s.index)
	}
	return nil
}

// apply applies one entry of commands that must all be accepted.
func (g *Group) apply(commands ...fsm.Command) (*fsm.Applied, error) {
	frames := make([][]byte, 0, len(commands))
	for _, c := range commands {
		frames = append(frames, fsm.Frame(c))
	}
	g.index++
	a, err := g.state.Apply(g.index, fsm.Entry(g.now, frames...))
	if err != nil {
		return nil, err
	}
	for _, res := range a.Results {
		if res.Error != nil {
			return nil, res.Err()
		}
	}
	return a, nil
}
