package consensus

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/raft"
)

// Leaders is who leads as raft knows it here, and wakes who waits for another leader, or for none.
type Leaders struct {
	raft *raft.Raft

	mu   sync.Mutex
	next chan struct{}
	last string // the leader that was known last

	count atomic.Int64
}

// NewLeaders makes one; it wakes nobody before Watch.
func NewLeaders(r *raft.Raft) *Leaders { return &Leaders{raft: r} }

// ID is the leader's, empty when there is none.
func (l *Leaders) ID() string {
	_, id := l.raft.LeaderWithID()
	return string(id)
}

// Count is how many leaders differed from the one before, the first one included.
func (l *Leaders) Count() int64 { return l.count.Load() }

// Changed closes when the leader changes after the call.
func (l *Leaders) Changed() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.next == nil {
		l.next = make(chan struct{})
	}
	return l.next
}

// Outlast waits until a peer leads no more; false when ctx ended first.
func (l *Leaders) Outlast(ctx context.Context, leader string) bool {
	for {
		changed := l.Changed()
		if l.ID() != leader {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-changed:
		}
	}
}

// Watch passes on that raft knows another leader, until ctx ends. Raft drops what is not taken, so that an observation says only that
// something changed.
func (l *Leaders) Watch(ctx context.Context) error {
	seen := make(chan raft.Observation, 1)
	observer := raft.NewObserver(seen, false, func(o *raft.Observation) bool {
		_, ok := o.Data.(raft.LeaderObservation)
		return ok
	})
	l.raft.RegisterObserver(observer)
	defer l.raft.DeregisterObserver(observer)
	for {
		l.happened(l.ID())
		select {
		case <-ctx.Done():
			return nil
		case <-seen:
		}
	}
}

// happened says that raft knows another leader, or none.
func (l *Leaders) happened(leader string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if leader != "" && leader != l.last {
		l.last = leader
		l.count.Add(1)
	}
	if l.next != nil {
		close(l.next)
		l.next = nil
	}
}
