package discovery

import (
	"context"
	"sync"
)

// nudgedBy is what moved, by source, at those this peer watches.
type nudgedBy struct {
	mu      sync.Mutex
	sources map[uint64]*nudged // by id of the discovery
}

// open begins to gather for a source.
func (b *nudgedBy) open(discovery uint64) *nudged {
	n := &nudged{names: map[string]bool{}, moved: make(chan struct{}, 1)}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.sources == nil {
		b.sources = map[uint64]*nudged{}
	}
	b.sources[discovery] = n
	return n
}

func (b *nudgedBy) close(discovery uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.sources, discovery)
}

// giveBack takes the names of a nudged run that failed, to be read again. Once the source is no longer watched here the next
// full run sees them.
func (b *nudgedBy) giveBack(discovery uint64, names []string) {
	b.mu.Lock()
	n := b.sources[discovery]
	b.mu.Unlock()
	if n == nil {
		return
	}
	n.mu.Lock()
	n.failed = true
	n.mu.Unlock()
	n.add(names)
}

// nudged is what moved at one source and was not yet read.
type nudged struct {
	mu     sync.Mutex
	names  map[string]bool
	failed bool // the last nudged run read nothing; the next one waits
	moved  chan struct{}
}

func (n *nudged) add(names []string) {
	n.mu.Lock()
	for _, name := range names {
		n.names[name] = true
	}
	n.mu.Unlock()
	select {
	case n.moved <- struct{}{}:
	default:
	}
}

func (n *nudged) take() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := make([]string, 0, len(n.names))
	for name := range n.names {
		out = append(out, name)
	}
	clear(n.names)
	return out
}

// pace waits after a nudged run that failed, longer each time in a row; false when ctx ended first.
func (n *nudged) pace(ctx context.Context, backoff *Backoff) bool {
	n.mu.Lock()
	failed := n.failed
	n.failed = false
	n.mu.Unlock()
	if !failed {
		backoff.Reset()
		return true
	}
	return backoff.Wait(ctx) == nil
}
