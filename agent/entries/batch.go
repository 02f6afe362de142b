package entries

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/agent/consensus"
	"github.com/musterhq/muster/agent/replica"
	"github.com/musterhq/muster/fsm"
)

// Beat is how often what is not hurried goes into the log.
const Beat = 250 * time.Millisecond

const (
	coalesce     = 2 * time.Millisecond // hurried commands of so long share an entry
	maxProposals = 8192                 // waiting at once; further ones are refused
	enqueueWait  = 5 * time.Second
)

// ErrFull is that too many commands wait for the log.
var ErrFull = errors.New("too many commands wait for the log")

// Proposal is one caller's commands on their way into an entry.
type Proposal struct {
	Results []fsm.Result // of the commands, once Done is closed and Err is nil
	Err     error        // why there are none, once Done is closed

	frames []byte
	count  int
	done   chan struct{}
}

// NewProposal makes one of so many commands.
func NewProposal(frames []byte, count int) *Proposal {
	return &Proposal{frames: frames, count: count, done: make(chan struct{})}
}

// Done is closed when the commands are applied, or have failed.
func (p *Proposal) Done() <-chan struct{} { return p.done }

// refuse finishes a proposal that may not come into the log.
func (p *Proposal) refuse(why *fsm.Error) {
	p.finish(slices.Repeat([]fsm.Result{{Error: why}}, p.count), nil)
}

func (p *Proposal) finish(results []fsm.Result, err error) {
	p.Results, p.Err = results, err
	close(p.done)
}

// Batch puts the proposals of one term into entries: hurried ones within coalesce, unhurried ones once a beat.
type Batch struct {
	// Granted, if it is set before the first proposal, is told of the claims that an entry granted and when it was proposed.
	Granted func(proposed time.Time, claims []*fsm.Claim)

	raft    *raft.Raft
	machine *replica.Machine
	clock   *Clock
	lasts   func() bool

	mu      sync.Mutex
	closed  bool
	hurried []*Proposal
	later   []*Proposal
	wake    chan struct{}
	waiting sync.WaitGroup // entries whose results are awaited
}

// New makes a batch that writes while the term lasts.
func New(r *raft.Raft, m *replica.Machine, c *Clock, lasts func() bool) *Batch {
	return &Batch{raft: r, machine: m, clock: c, lasts: lasts, wake: make(chan struct{}, 1)}
}

// Add takes a proposal, or finishes it with an error.
func (b *Batch) Add(p *Proposal, unhurried bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.closed:
		p.finish(nil, consensus.ErrNotLeading)
		return
	case len(b.hurried)+len(b.later) >= maxProposals:
		p.finish(nil, ErrFull)
		return
	case unhurried:
		b.later = append(b.later, p)
		return
	}
	b.hurried = append(b.hurried, p)
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// Run sends hurried proposals until ctx ends; then it refuses what waits.
func (b *Batch) Run(ctx context.Context) error {
	defer b.close()
	pause := time.NewTimer(coalesce)
	defer pause.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-b.wake:
		}
		pause.Reset(coalesce)
		select {
		case <-ctx.Done():
			return nil
		case <-pause.C:
		}
		b.mu.Lock()
		batch := b.hurried
		b.hurried = nil
		b.mu.Unlock()
		b.send(batch)
	}
}

// Beat sends the unhurried proposals with the leader's own commands.
func (b *Batch) Beat(commands []fsm.Command) {
	b.mu.Lock()
	batch := b.later
	b.later = nil
	b.mu.Unlock()
	for _, c := range commands {
		batch = append(batch, NewProposal(fsm.Frame(c), 1))
	}
	b.send(batch)
}

// Open sends a proposal by itself, at once: the first of the term, before Run.
func (b *Batch) Open(p *Proposal) { b.send([]*Proposal{p}) }

// Settle waits until every entry has its outcome. Nothing is sent any more.
func (b *Batch) Settle() { b.waiting.Wait() }

// close refuses what waits and all that comes.
func (b *Batch) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	for _, p := range append(b.hurried, b.later...) {
		p.finish(nil, consensus.ErrNotLeading)
	}
	b.hurried, b.later = nil, nil
}

// send makes entries of at most fsm.MaxEntry bytes out of a batch. Nothing comes into the log but through here, and nothing that needs
// a higher feature level than the group's: a peer of an earlier release would have to stop.
func (b *Batch) send(batch []*Proposal) {
	level := b.machine.Read().Meta().Feature // it may be behind the log's, never ahead
	batch = slices.DeleteFunc(batch, func(p *Proposal) bool {
		why := fsm.Admit(p.frames, level)
		if why != nil {
			p.refuse(why)
		}
		return why != nil
	})
	for len(batch) > 0 {
		size, n := 0, 0
		frames := make([][]byte, 0, len(batch))
		for n < len(batch) && (n == 0 || size+len(batch[n].frames) <= fsm.MaxEntry) {
			size += len(batch[n].frames)
			frames = append(frames, batch[n].frames)
			n++
		}
		b.apply(batch[:n], fsm.Entry(b.clock.Now(), frames...))
		batch = batch[n:]
	}
}

func (b *Batch) apply(batch []*Proposal, entry []byte) {
	if !b.lasts() {
		for _, p := range batch {
			p.finish(nil, consensus.ErrNotLeading)
		}
		return
	}
	var proposed time.Time
	if b.Granted != nil {
		proposed = time.Now()
	}
	future := b.raft.Apply(entry, enqueueWait)
	b.waiting.Go(func() {
		applied, err := outcomeOf(future)
		if err != nil {
			for _, p := range batch {
				p.finish(nil, err)
			}
			return
		}
		if b.Granted != nil {
			b.Granted(proposed, applied.Granted)
		}
		results := applied.Results
		for _, p := range batch {
			p.finish(results[:p.count], nil)
			results = results[p.count:]
		}
	})
}

// outcomeOf waits for an entry: raft's error, or the state's, or what it did. Raft answers every future when it shuts down.
func outcomeOf(future raft.ApplyFuture) (*fsm.Applied, error) {
	if err := future.Error(); err != nil {
		return nil, err
	}
	switch r := future.Response().(type) {
	case *fsm.Applied:
		return r, nil
	case error:
		return nil, r
	}
	return nil, consensus.ErrNotLeading
}
