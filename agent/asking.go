package agent

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// asker asks raft whether this peer still leads, and to hand leadership over. Raft keeps such questions in a queue, and never
// answers what is in it when it shuts down, nor what is asked after. So nobody waits for an answer longer than its context
// lets it; all that was asked is waited for before raft is shut down, and nothing is asked any more.
type asker struct {
	raft *raft.Raft

	mu     sync.Mutex
	closed bool
	asked  sync.WaitGroup
}

// lastAnswers is how long raft may take to answer before it is shut down: while it runs, longer than a leader's lease says that
// something holds it up for good.
const lastAnswers = time.Second

// leads returns without an error once a quorum has said that this peer leads.
func (k *asker) leads(ctx context.Context) error {
	if err := k.await(ctx, func() raft.Future { return k.raft.VerifyLeader() }); err != nil {
		return fmt.Errorf("verify leader: %w", err)
	}
	return nil
}

// handOver returns without an error once leadership has moved to a voter: the one named, or the one that raft finds the
// most up to date.
func (k *asker) handOver(ctx context.Context, id raft.ServerID) error {
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

// await is raft's answer to a question, within callWait.
func (k *asker) await(ctx context.Context, question func() raft.Future) error {
	ctx, cancel := context.WithTimeout(ctx, callWait)
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

func (k *asker) ask(question func() raft.Future) (<-chan error, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed || k.raft.State() == raft.Shutdown {
		return nil, errNotLeading
	}
	answer := make(chan error, 1)
	future := question()
	k.asked.Go(func() { answer <- future.Error() })
	return answer, nil
}

// close lets nothing be asked any more, and waits for what was.
func (k *asker) close() {
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
