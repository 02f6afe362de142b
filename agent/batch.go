package agent

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/agent/consensus"
	"github.com/musterhq/muster/agent/replica"
	"github.com/musterhq/muster/fsm"
)

const (
	coalesce     = 2 * time.Millisecond   // hurried commands of so long share an entry
	beat         = 250 * time.Millisecond // unhurried ones go together
	maxEntry     = fsm.MaxEntry
	maxProposals = 8192 // waiting at once; further ones are refused
	enqueueWait  = 5 * time.Second
)

// proposal is one caller's commands on their way into an entry.
type proposal struct {
	frames  []byte
	count   int
	results []fsm.Result
	err     error
	done    chan struct{}
}

func newProposal(frames []byte, count int) *proposal {
	return &proposal{frames: frames, count: count, done: make(chan struct{})}
}

// refuse finishes a proposal that may not come into the log.
func (p *proposal) refuse(why *fsm.Error) {
	p.finish(slices.Repeat([]fsm.Result{{Error: why}}, p.count), nil)
}

func (p *proposal) finish(results []fsm.Result, err error) {
	p.results, p.err = results, err
	close(p.done)
}

// batcher puts the proposals of one term into entries: hurried ones within coalesce, unhurried ones once a beat.
type batcher struct {
	raft    *raft.Raft
	machine *replica.Machine
	clock   *clock
	lasts   func() bool                                   // whether the term does
	granted func(proposed time.Time, claims []*fsm.Claim) // nil while nothing is traced

	mu      sync.Mutex
	closed  bool
	hurried []*proposal
	later   []*proposal
	wake    chan struct{}
	waiting sync.WaitGroup // entries whose results are awaited
}

func newBatcher(r *raft.Raft, m *replica.Machine, c *clock, lasts func() bool) *batcher {
	return &batcher{raft: r, machine: m, clock: c, lasts: lasts, wake: make(chan struct{}, 1)}
}

// add takes a proposal, or finishes it with an error.
func (b *batcher) add(p *proposal, unhurried bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.closed:
		p.finish(nil, consensus.ErrNotLeading)
		return
	case len(b.hurried)+len(b.later) >= maxProposals:
		p.finish(nil, errFull)
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

// run sends hurried proposals until ctx ends; then it refuses what waits.
func (b *batcher) run(ctx context.Context) error {
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

// beat sends the unhurried proposals with the leader's own commands.
func (b *batcher) beat(commands []fsm.Command) {
	b.mu.Lock()
	batch := b.later
	b.later = nil
	b.mu.Unlock()
	for _, c := range commands {
		batch = append(batch, newProposal(fsm.Frame(c), 1))
	}
	b.send(batch)
}

// settle waits until every entry has its outcome. Nothing is sent any more.
func (b *batcher) settle() { b.waiting.Wait() }

// close refuses what waits and all that comes.
func (b *batcher) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	for _, p := range append(b.hurried, b.later...) {
		p.finish(nil, consensus.ErrNotLeading)
	}
	b.hurried, b.later = nil, nil
}

// send makes entries of at most maxEntry out of a batch. Nothing comes into the log but through here, and nothing that needs
// a higher feature level than the group's: a peer of an earlier release would have to stop.
func (b *batcher) send(batch []*proposal) {
	level := b.machine.Read().Meta().Feature // it may be behind the log's, never ahead
	batch = slices.DeleteFunc(batch, func(p *proposal) bool {
		why := fsm.Admit(p.frames, level)
		if why != nil {
			p.refuse(why)
		}
		return why != nil
	})
	for len(batch) > 0 {
		size, n := 0, 0
		frames := make([][]byte, 0, len(batch))
		for n < len(batch) && (n == 0 || size+len(batch[n].frames) <= maxEntry) {
			size += len(batch[n].frames)
			frames = append(frames, batch[n].frames)
			n++
		}
		b.apply(batch[:n], fsm.Entry(b.clock.now(), frames...))
		batch = batch[n:]
	}
}

func (b *batcher) apply(batch []*proposal, entry []byte) {
	if !b.lasts() {
		for _, p := range batch {
			p.finish(nil, consensus.ErrNotLeading)
		}
		return
	}
	var proposed time.Time
	if b.granted != nil {
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
		if b.granted != nil {
			b.granted(proposed, applied.Granted)
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
