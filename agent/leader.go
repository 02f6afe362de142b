package agent

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/agent/life"
	"github.com/musterhq/muster/agent/peerport"
)

// lastWords is how long an answer is waited for from a peer that leads no more: it may have been on its way.
const lastWords = 250 * time.Millisecond

// errLeaderGone: the peer that was asked led no more before it answered.
var errLeaderGone = errors.New("the peer that led does not any more")

// turnover wakes who waits for another leader, or for none, as raft knows it here.
type turnover struct {
	mu   sync.Mutex
	next chan struct{}

	last  string       // the leader that was known last
	count atomic.Int64 // of leaders that differed from the one before
}

// changed closes when the leader changes after the call.
func (t *turnover) changed() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.next == nil {
		t.next = make(chan struct{})
	}
	return t.next
}

// happened says that raft knows another leader, or none.
func (t *turnover) happened(leader string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if leader != "" && leader != t.last {
		t.last = leader
		t.count.Add(1)
	}
	if t.next != nil {
		close(t.next)
		t.next = nil
	}
}

// watchLeader passes on that raft knows another leader, until ctx ends. Raft drops what is not taken, so that an observation
// says only that something changed.
func (a *Agent) watchLeader(ctx context.Context) error {
	seen := make(chan raft.Observation, 1)
	observer := raft.NewObserver(seen, false, func(o *raft.Observation) bool {
		_, ok := o.Data.(raft.LeaderObservation)
		return ok
	})
	a.raft.RegisterObserver(observer)
	defer a.raft.DeregisterObserver(observer)
	for {
		a.leaders.happened(a.leaderID())
		select {
		case <-ctx.Done():
			return nil
		case <-seen:
		}
	}
}

// leaderID is the id of the leader as raft knows it here, empty when there is none.
func (a *Agent) leaderID() string {
	_, id := a.raft.LeaderWithID()
	return string(id)
}

// askLeader sends a request to the peer that leads. It is given up when that peer leads no more: at once while the request
// was not sent, since a lost machine takes as long to dial as the dialer has patience, else after lastWords. An error of
// what was not sent is one of notApplied.
func (a *Agent) askLeader(ctx context.Context, r peerport.Request) ([]byte, error) {
	ctx, giveUp := context.WithCancelCause(ctx)
	var sent atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { sent.Store(true) }})
	var watch sync.WaitGroup
	defer watch.Wait()
	defer giveUp(nil)
	watch.Go(func() {
		if !a.outlasts(ctx, r.Peer) {
			return
		}
		if !sent.Load() || life.Pause(ctx, lastWords) {
			giveUp(errLeaderGone)
		}
	})
	raw, err := a.port.Client().Do(ctx, r)
	if err != nil && !sent.Load() {
		return nil, fmt.Errorf("%w: %w", errNotSent, err)
	}
	return raw, err
}

// outlasts waits until a peer leads no more; false when ctx ended first.
func (a *Agent) outlasts(ctx context.Context, leader string) bool {
	for {
		changed := a.leaders.changed()
		if a.leaderID() != leader {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-changed:
		}
	}
}
