package refresh

import (
	"sync"

	"github.com/musterhq/muster/fsm"
)

// queue holds granted claims until the worker takes them. It is bounded by the leader, which grants a peer no more polls
// than it may have in flight.
type queue struct {
	mu     *sync.Mutex
	claims map[fsm.Ticket]*fsm.Claim
	ready  chan struct{}
}

func newQueue() queue {
	return queue{mu: new(sync.Mutex), claims: map[fsm.Ticket]*fsm.Claim{}, ready: make(chan struct{}, 1)}
}

// put adds a claim once, however often it comes.
func (q *queue) put(c *fsm.Claim) {
	q.mu.Lock()
	q.claims[c.Ticket()] = c
	q.mu.Unlock()
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// take empties the queue.
func (q *queue) take() []*fsm.Claim {
	q.mu.Lock()
	defer q.mu.Unlock()
	out := make([]*fsm.Claim, 0, len(q.claims))
	for _, c := range q.claims {
		out = append(out, c)
	}
	clear(q.claims)
	return out
}

// reset forgets what came before the worker ran.
func (q *queue) reset() { q.take() }
