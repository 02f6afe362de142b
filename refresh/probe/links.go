package probe

import (
	"container/list"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

const (
	maxIdle   = 1024             // clients kept between polls, of one prober
	maxRest   = 10 * time.Minute // after which a client is not used again
	maxAnswer = 1 << 20          // bytes
)

// ErrStale says, within the error of a question over a kept client, that the server had ended the session before it was
// asked, or that the client was used enough. It is asked once more over a new one.
var ErrStale = errors.New("the connection was kept too long")

// Client is a store's client for one target.
type Client interface{ Close() }

// Links are the clients that a prober keeps between its polls: at most one idle for each address and maxIdle in all, the one
// unused for longest going first, and none used after it rested for maxRest. One client serves one poll at a time. The
// fields are set before the first poll; the methods are safe for concurrent use.
type Links[C Client] struct {
	Env       refresh.Env
	MaxAnswer int // bytes read in one poll; zero means 1 MiB

	// Open makes the client of a target, which connects through line alone. It may connect at once or when first asked.
	Open func(ctx context.Context, line *Line, t refresh.Target) (C, error)

	// Fault gives the errors their reasons that this kind of server answers with; it returns the others as they are. Nil
	// knows none.
	Fault func(error) error

	mu     sync.Mutex
	order  list.List // of *link[C], newest in front
	byAddr map[string]*list.Element
	closed bool
}

type link[C Client] struct {
	address string
	line    *Line
	client  C
	since   time.Time // when it became idle
}

// lost says whether a question failed because the client had been kept.
func (k *link[C]) lost(err error) bool {
	ended := k.line.ending()
	return errors.Is(err, ErrStale) || refresh.FaultOf(err).Reason == fsm.ReasonReset ||
		ended != nil && refresh.FaultOf(ended).Reason == fsm.ReasonReset
}

func (k *link[C]) close() {
	k.client.Close()
	k.line.hangUp()
}

// Ask asks t by a kept client, or a new one. A client whose question failed is not kept. A server that closed a kept
// connection is asked once more over a new one, whatever had come: much of what servers say in farewell, as TLS does, is no
// answer. So is one of which ErrStale tells.
// When ctx ends all connections of the client are closed. Of several errors the one that is returned tells most: an answer
// that was too long, then the end of ctx, then what the server said, then how the connection ended.
func (p *Links[C]) Ask(ctx context.Context, t refresh.Target, ask func(context.Context, C) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	address := t.HostPort()
	if k := p.take(address); k != nil {
		err := p.use(ctx, k, ask)
		if err == nil || ctx.Err() != nil || !k.lost(err) {
			return err
		}
	}
	limit := p.MaxAnswer
	if limit == 0 {
		limit = maxAnswer
	}
	k := &link[C]{address: address, line: newLine(p.Env, limit)}
	stop := context.AfterFunc(ctx, k.line.hangUp)
	client, err := p.Open(ctx, k.line, t)
	stop()
	if err != nil {
		k.line.hangUp()
		return p.best(ctx, k.line, err)
	}
	k.client = client
	return p.use(ctx, k, ask)
}

// Report asks t as Ask does; ask makes the report of the answer, and of a failure t does.
func (p *Links[C]) Report(ctx context.Context, t refresh.Target, ask func(context.Context, C) (fsm.Report, error)) fsm.Report {
	var r fsm.Report
	err := p.Ask(ctx, t, func(ctx context.Context, c C) (err error) {
		r, err = ask(ctx, c)
		return err
	})
	if err != nil {
		return t.Failed(err)
	}
	return r
}

func (p *Links[C]) use(ctx context.Context, k *link[C], ask func(context.Context, C) error) error {
	k.line.begin()
	stop := context.AfterFunc(ctx, k.line.hangUp)
	err := ask(ctx, k.client)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		k.close()
		return p.best(ctx, k.line, err)
	}
	p.put(k)
	return nil
}

// best is the error that tells most.
func (p *Links[C]) best(ctx context.Context, line *Line, err error) error {
	ended := line.ending()
	if ended != nil && refresh.FaultOf(ended).Reason == fsm.ReasonTooLarge {
		return ended
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if p.Fault != nil {
		err = p.Fault(err)
	}
	_, known := errors.AsType[*refresh.FaultError](err)
	if known = known || refresh.FaultOf(err).Reason == fsm.ReasonTLS; ended != nil && !known {
		return ended
	}
	return err
}

// take is the kept client of an address, now the caller's; nil when there is none fit for use.
func (p *Links[C]) take(address string) *link[C] {
	p.mu.Lock()
	var k *link[C]
	if e := p.byAddr[address]; e != nil {
		k = p.remove(e)
	}
	p.mu.Unlock()
	if k == nil {
		return nil
	}
	if k.line.ending() != nil || time.Since(k.since) > maxRest {
		k.close()
		return nil
	}
	return k
}

// put keeps k, and closes what that leaves no room for and what has rested too long.
func (p *Links[C]) put(k *link[C]) {
	k.since = time.Now()
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		k.close()
		return
	}
	if p.byAddr == nil {
		p.byAddr = map[string]*list.Element{}
	}
	var out []*link[C]
	if rival := p.byAddr[k.address]; rival != nil {
		out = append(out, p.remove(rival))
	}
	p.byAddr[k.address] = p.order.PushFront(k)
	for {
		oldest := p.order.Back()
		if p.order.Len() <= maxIdle && k.since.Sub(oldest.Value.(*link[C]).since) <= maxRest {
			break
		}
		out = append(out, p.remove(oldest))
	}
	p.mu.Unlock()
	for _, old := range out {
		old.close()
	}
}

func (p *Links[C]) remove(e *list.Element) *link[C] {
	k := p.order.Remove(e).(*link[C])
	delete(p.byAddr, k.address)
	return k
}

// Close closes the idle clients; those in use are closed when their poll ends.
func (p *Links[C]) Close() {
	p.mu.Lock()
	rest := p.byAddr
	p.byAddr, p.closed = nil, true
	p.order.Init()
	p.mu.Unlock()
	for _, e := range rest {
		e.Value.(*link[C]).close()
	}
}
