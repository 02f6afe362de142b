package poll

import (
	"sync"
	"time"
)

// idle holds the connections that wait for their next request: at most one for each address, in the order they came, so
// that those which have rested too long are found at once. It counts the others of the client too, since both share a limit.
type idle struct {
	max     int // idle and in use
	timeout time.Duration

	mu             sync.Mutex
	byAddress      map[string]*conn
	newest, oldest *conn
	used           int // connections in use or being dialed
	closed         bool
	unkept         uint64 // closed for want of room
}

func (p *idle) init(limit int, timeout time.Duration) {
	p.max, p.timeout = limit, timeout
	p.byAddress = map[string]*conn{}
}

// take is the idle connection to address, now the caller's; nil when there is none fit for use.
func (p *idle) take(address string) *conn {
	now := time.Now()
	p.mu.Lock()
	cn := p.byAddress[address]
	rested := cn != nil && now.Sub(cn.since) > p.timeout
	if cn != nil {
		p.remove(cn)
	}
	if cn != nil && !rested {
		p.used++
	}
	p.mu.Unlock()
	if rested {
		_ = cn.Close()
		return nil
	}
	return cn
}

// enter counts a connection that is to be dialed, and closes an idle one where there is no room for both.
func (p *idle) enter() {
	p.mu.Lock()
	p.used++
	var out *conn
	if len(p.byAddress)+p.used > p.max {
		out = p.spare()
	}
	p.mu.Unlock()
	if out != nil {
		_ = out.Close()
	}
}

// leave is for one in use that was closed, or could not be dialed.
func (p *idle) leave() {
	p.mu.Lock()
	p.used--
	p.mu.Unlock()
}

// yielded is how many files are given back when there are none: one for who asks, the others for the rest of the process.
const yielded = 16

// yield closes idle connections since files are short. False when there are none.
func (p *idle) yield() bool {
	var out []*conn
	p.mu.Lock()
	for range yielded {
		if cn := p.spare(); cn != nil {
			out = append(out, cn)
		}
	}
	p.mu.Unlock()
	for _, cn := range out {
		_ = cn.Close()
	}
	return len(out) > 0
}

// spare takes out the idle connection that is missed the least: one that rested too long, or else the one that came last,
// whose node is asked again the last of all. Nil when there is none.
func (p *idle) spare() *conn {
	cn := p.newest
	if cn == nil {
		return nil
	}
	if time.Since(p.oldest.since) > p.timeout {
		cn = p.oldest
	} else {
		p.unkept++
	}
	p.remove(cn)
	return cn
}

// put makes cn, which was in use, idle, or closes it when there is no room. It first closes up to two that have rested too
// long: more than come in.
func (p *idle) put(cn *conn) {
	cn.since = time.Now()
	var out [4]*conn
	n := 0
	drop := func(old *conn) {
		out[n] = old
		n++
	}
	p.mu.Lock()
	p.used--
	for range 2 {
		if old := p.oldest; old != nil && cn.since.Sub(old.since) > p.timeout {
			p.remove(old)
			drop(old)
		}
	}
	if rival := p.byAddress[cn.address]; rival != nil {
		p.remove(rival)
		drop(rival)
	}
	switch {
	case p.closed:
		drop(cn)
	case len(p.byAddress)+p.used >= p.max:
		p.unkept++
		drop(cn)
	default:
		p.insert(cn)
	}
	p.mu.Unlock()
	for _, old := range out[:n] {
		_ = old.Close()
	}
}

func (p *idle) insert(cn *conn) {
	p.byAddress[cn.address] = cn
	cn.older, cn.newer = p.newest, nil
	if p.newest != nil {
		p.newest.newer = cn
	} else {
		p.oldest = cn
	}
	p.newest = cn
}

func (p *idle) remove(cn *conn) {
	delete(p.byAddress, cn.address)
	if cn.newer != nil {
		cn.newer.older = cn.older
	} else {
		p.newest = cn.older
	}
	if cn.older != nil {
		cn.older.newer = cn.newer
	} else {
		p.oldest = cn.newer
	}
	cn.newer, cn.older = nil, nil
}

func (p *idle) close() {
	p.mu.Lock()
	rest := p.byAddress
	p.byAddress, p.newest, p.oldest, p.closed = map[string]*conn{}, nil, nil, true
	p.mu.Unlock()
	for _, cn := range rest {
		_ = cn.Close()
	}
}

func (p *idle) isClosed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}

// all is how many connections there are, those in use or being dialed too.
func (p *idle) all() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.byAddress) + p.used
}

func (p *idle) counts() (size int, unkept uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.byAddress), p.unkept
}
