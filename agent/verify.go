package agent

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// verifier asks raft whether this peer still leads. Raft never answers what it has not taken up when it shuts down, and what is
// asked after: so all that was asked is waited for before, and nothing is asked any more.
type verifier struct {
	raft *raft.Raft

	mu     sync.Mutex
	closed bool
	asked  sync.WaitGroup
}

// lastAnswers is how long raft may take to answer before it is shut down: while it runs, longer than a leader's lease says that
// something holds it up for good.
const lastAnswers = time.Second

// leads returns without an error once a quorum has said that this peer leads.
func (v *verifier) leads(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callWait)
	defer cancel()
	answer, err := v.ask()
	if err != nil {
		return err
	}
	select {
	case err := <-answer:
		if err != nil {
			return fmt.Errorf("verify leader: %w", err)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("verify leader: %w", context.Cause(ctx))
	}
}

func (v *verifier) ask() (<-chan error, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed || v.raft.State() == raft.Shutdown {
		return nil, errNotLeading
	}
	answer := make(chan error, 1)
	future := v.raft.VerifyLeader()
	v.asked.Go(func() { answer <- future.Error() })
	return answer, nil
}

// close lets nothing be asked any more, and waits for what was.
func (v *verifier) close() {
	v.mu.Lock()
	v.closed = true
	v.mu.Unlock()
	answered := make(chan struct{})
	go func() {
		v.asked.Wait()
		close(answered)
	}()
	select {
	case <-answered:
	case <-time.After(lastAnswers):
	}
}
