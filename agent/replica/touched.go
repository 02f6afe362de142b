package replica

import (
	"sync"

	"github.com/musterhq/muster/fsm"
)

// Touched gathers what entries touched for the leader's scheduler, which takes it after each of them.
type Touched struct {
	mu       sync.Mutex
	subjects []fsm.Subject
	peers    bool
	ready    chan struct{}
}

// Follow gathers, from now on until stop, what entries touch. One follows at a time.
func (m *Machine) Follow() (t *Touched, stop func()) {
	t = &Touched{ready: make(chan struct{}, 1)}
	m.follow(t)
	return t, func() { m.follow(nil) }
}

func (m *Machine) follow(t *Touched) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.follower = t
}

func (q *Touched) add(a *fsm.Applied) {
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

// Ready has a value when there is something to take.
func (q *Touched) Ready() <-chan struct{} { return q.ready }

// Take empties it; peers says whether the row of one was touched.
func (q *Touched) Take() (subjects []fsm.Subject, peers bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	subjects, q.subjects = q.subjects, nil
	peers, q.peers = q.peers, false
	return subjects, peers
}
