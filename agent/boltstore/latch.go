package boltstore

import (
	"errors"
	"fmt"
	"sync"
)

// ErrLatched is matched by every write that is refused because of an earlier
// error, which it wraps too.
var ErrLatched = errors.New("log store takes no more writes")

// latch holds the first error it is given, for good.
type latch struct {
	once  sync.Once
	done  chan struct{} // closed once first is set
	first error
}

func newLatch() *latch {
	return &latch{done: make(chan struct{})}
}

func (l *latch) set(err error) {
	l.once.Do(func() {
		l.first = err
		close(l.done)
	})
}

func (l *latch) err() error {
	select {
	case <-l.done:
		return l.first
	default:
		return nil
	}
}

// refusal is what a write gets once the latch is set, nil before.
func (l *latch) refusal() error {
	if first := l.err(); first != nil {
		return fmt.Errorf("%w after an earlier error: %w", ErrLatched, first)
	}
	return nil
}
