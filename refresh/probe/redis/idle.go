package redis

import (
	"container/list"
	"sync"
	"time"
)

const (
	maxIdle = 256
	maxRest = 10 * time.Minute
)

// idle holds the links that wait for their next poll: at most one for each address, newest in front.
type idle struct {
	mu     sync.Mutex
	order  list.List
	byAddr map[string]*list.Element
	closed bool
}

// take is the link to address, now the caller's; nil when there is none fit for use.
func (p *idle) take(address string) *link {
	p.mu.Lock()
	var l *link
	if e := p.byAddr[address]; e != nil {
		l = p.remove(e)
	}
	p.mu.Unlock()
	if l != nil && time.Since(l.since) > maxRest {
		l.close()
		return nil
	}
	return l
}

// put makes l idle, and closes what that leaves no room for and what has rested too long.
func (p *idle) put(l *link) {
	l.since = time.Now()
	var out []*link
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		l.close()
		return
	}
	if p.byAddr == nil {
		p.byAddr = map[string]*list.Element{}
	}
	if rival := p.byAddr[l.address]; rival != nil {
		out = append(out, p.remove(rival))
	}
	p.byAddr[l.address] = p.order.PushFront(l)
	for {
		oldest := p.order.Back()
		if p.order.Len() <= maxIdle && l.since.Sub(oldest.Value.(*link).since) <= maxRest {
			break
		}
		out = append(out, p.remove(oldest))
	}
	p.mu.Unlock()
	for _, old := range out {
		old.close()
	}
}

func (p *idle) remove(e *list.Element) *link {
	l := p.order.Remove(e).(*link)
	delete(p.byAddr, l.address)
	return l
}

func (p *idle) close() {
	p.mu.Lock()
	rest := p.byAddr
	p.byAddr, p.closed = nil, true
	p.order.Init()
	p.mu.Unlock()
	for _, e := range rest {
		e.Value.(*link).close()
	}
}
