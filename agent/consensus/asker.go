package consensus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// Asker asks raft whether this peer still leads, and to hand leadership over. Raft keeps such questions in a queue, and never
// answers what is in it when it shuts down, nor what is asked after. So nobody waits for an answer longer than its context
// lets it; all that was asked is waited for before raft is shut down, and nothing is asked any more.
type Asker struct {
	raft *raft.Raft

	mu     sync.Mutex
	closed bool
	asked  sync.WaitGroup
}

// NewAsker makes one that is to be closed before raft is shut down.
func NewAsker(r *raft.Raft) *Asker { return &Asker{raft: r} }

// ErrNotLeading is that this peer does not lead, or that its term has only begun.
var ErrNotLeading = errors.New("this peer does not lead")

// answerWait is how long an answer is waited for where the caller set nothing shorter.
const answerWait = 10 * time.Second

// lastAnswers is how long raft may take to answer before it is shut down: while it runs, longer than a leader's lease says that
// something holds it up for good.
const lastAnswers = time.Second

// Leads returns without an error once a quorum has said that this peer leads.
func (k *Asker) Leads(ctx context.Context) error {
	if err := k.await(ctx, func() raft.Future { return k.raft.VerifyLeader() }); err != nil {
		return fmt.Errorf("verify leader: %w", err)
	}
	return nil
}

// HandOver returns without an error once leadership has moved to a voter: the one named, or the one that raft finds the
// most up to date.
func (k *Asker) HandOver(ctx context.Context, id raft.ServerID) error {
	err := k.await(ctx, func() raft.Future {
		if id == "" {
			return k.raft.LeadershipTransfer()
		}
		return k.raft.LeadershipTransferToServer(id, raft.ServerAddress(id))
	})
	if err != nil {
		return fmt.Errorf("raft: %w", err)
	}
	return nil
}

// await is raft's answer to a question, within answerWait.
func (k *Asker) await(ctx context.Context, question func() raft.Future) error {
	ctx, cancel := context.WithTimeout(ctx, answerWait)
	defer cancel()
	answer, err := k.ask(question)
	if err != nil {
		return err
	}
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (k *Asker) ask(question func() raft.Future) (<-chan error, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed || k.raft.State() == raft.Shutdown {
		return nil, ErrNotLeading
	}
	answer := make(chan error, 1)
	future := question()
	k.asked.Go(func() { answer <- future.Error() })
	return answer, nil
}

// Close lets nothing be asked any more, and waits for what was.
func (k *Asker) Close() {
	k.mu.Lock()
	k.closed = true
	k.mu.Unlock()
	answered := make(chan struct{})
	go func() {
		k.asked.Wait()
		close(answered)
	}()
	select {
	case <-answered:
	case <-time.After(lastAnswers):
	}
}
