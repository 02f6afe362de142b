package peerport

import (
	"context"
	"sync"
	"time"
)

// life is a context that lasts as long as the port: from New until Run is told
// to stop. It is the parent of what raft asks for without a context.
type life struct {
	ended chan struct{}
	once  sync.Once
}

func (l *life) end() { l.once.Do(func() { close(l.ended) }) }

func (l *life) Deadline() (time.Time, bool) { return time.Time{}, false }
func (l *life) Done() <-chan struct{}       { return l.ended }
func (l *life) Value(any) any               { return nil }

func (l *life) Err() error {
	select {
	case <-l.ended:
		return context.Canceled
	default:
		return nil
	}
}
