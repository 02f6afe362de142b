package replica

import (
	"context"
	"sync"

	"github.com/musterhq/muster/fsm"
)

// Claims is a queue of the claims of one kind that entries granted to this peer, until its worker takes them. It is bounded by
// the leader, which grants a peer no more than it may have in flight.
type Claims struct {
	machine *Machine
	kind    fsm.Kind
	mu      sync.Mutex
	open    bool // before that claims are left in the state: no ghosts of old ones while the log replays
	claims  map[fsm.Ticket]*fsm.Claim
	ready   chan struct{}
}

func newClaims(m *Machine, kind fsm.Kind) *Claims {
	return &Claims{machine: m, kind: kind, claims: map[fsm.Ticket]*fsm.Claim{}, ready: make(chan struct{}, 1)}
}

// Polls are the refreshes that this peer is to do.
func (m *Machine) Polls() *Claims { return m.polls }

// Runs are the runs that this peer is to do.
func (m *Machine) Runs() *Claims { return m.runs }

// OpenClaims opens both queues, when the replica has caught up with the log.
func (m *Machine) OpenClaims() {
	m.polls.start()
	m.runs.start()
}

// start opens the queue once the replica has caught up, with the open claims that name this peer.
func (q *Claims) start() {
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
func (q *Claims) put(c *fsm.Claim) {
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
func (q *Claims) Take(ctx context.Context) ([]*fsm.Claim, error) {
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
