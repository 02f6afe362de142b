package agent

import (
	"context"
	"sync"

	"github.com/musterhq/muster/fsm"
)

// claimQueue holds the claims of one kind that entries granted to this peer, until its worker takes them. It is bounded by
// the leader, which grants a peer no more than it may have in flight.
type claimQueue struct {
	machine *machine
	kind    fsm.Kind
	mu      sync.Mutex
	open    bool // before that claims are left in the state: no ghosts of old ones while the log replays
	claims  map[fsm.Ticket]*fsm.Claim
	ready   chan struct{}
}

func newClaimQueue(m *machine, kind fsm.Kind) *claimQueue {
	return &claimQueue{machine: m, kind: kind, claims: map[fsm.Ticket]*fsm.Claim{}, ready: make(chan struct{}, 1)}
}

// start opens the queue once the replica has caught up, with the open claims that name this peer.
func (q *claimQueue) start() {
	q.mu.Lock()
	q.open = true
	q.mu.Unlock()
	for c := range q.machine.Read().ClaimsOf(q.machine.peer) {
		if c.Subject.Kind == q.kind {
			q.put(c)
		}
	}
}

// put adds a claim once, however often it comes.
func (q *claimQueue) put(c *fsm.Claim) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.open {
		return
	}
	q.claims[c.Ticket()] = c
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// Take waits for claims and empties the queue. Its error is that of ctx.
func (q *claimQueue) Take(ctx context.Context) ([]*fsm.Claim, error) {
	select {
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-q.ready:
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	out := make([]*fsm.Claim, 0, len(q.claims))
	for _, c := range q.claims {
		out = append(out, c)
	}
	clear(q.claims)
	return out, nil
}

// touchedQueue gathers what entries touched for the leader's scheduler, which takes it after each of them.
type touchedQueue struct {
	mu       sync.Mutex
	subjects []fsm.Subject
	peers    bool
	ready    chan struct{}
}

func newTouchedQueue() *touchedQueue { return &touchedQueue{ready: make(chan struct{}, 1)} }

func (q *touchedQueue) add(a *fsm.Applied) {
	if len(a.Touched) == 0 && !a.Peers {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.subjects = append(q.subjects, a.Touched...)
	q.peers = q.peers || a.Peers
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

func (q *touchedQueue) take() (subjects []fsm.Subject, peers bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	subjects, q.subjects = q.subjects, nil
	peers, q.peers = q.peers, false
	return subjects, peers
}
