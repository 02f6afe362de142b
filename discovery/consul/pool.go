package consul

import (
	"context"
	"errors"
	"sync"

	"github.com/musterhq/muster/discovery"
	"github.com/musterhq/muster/fsm"
)

// Pool shares sources among the backends it makes: those that ask the same Consul as the same caller have one set of
// connections and one watch. The agent holds one Pool. It is safe for concurrent use.
type Pool struct {
	mu      sync.Mutex
	sources map[Connection]*shared
}

type shared struct {
	*source
	users int
}

// NewPool makes an empty pool.
func NewPool() *Pool { return &Pool{sources: map[Connection]*shared{}} }

// Make is the discovery.Maker of this backend. What it makes is a discovery.Watcher and an io.Closer too: after its Close
// Read and Watch fail, and with the last backend of a source its idle connections go.
func (p *Pool) Make(config fsm.JSON, env discovery.Env) (discovery.Backend, error) {
	s, err := parse(config)
	if err != nil {
		return nil, err
	}
	return &backend{
		settings: s, env: env, pool: p, selected: selection{names: s.Services, tags: s.Tags, meta: s.Meta},
	}, nil
}

func (p *Pool) take(c Connection, env discovery.Env) *source {
	p.mu.Lock()
	defer p.mu.Unlock()
	sh := p.sources[c]
	if sh == nil {
		sh = &shared{source: newSource(c, env)}
		p.sources[c] = sh
	}
	sh.users++
	return sh.source
}

func (p *Pool) release(c Connection) {
	p.mu.Lock()
	defer p.mu.Unlock()
	sh := p.sources[c]
	if sh.users--; sh.users == 0 {
		delete(p.sources, c)
		sh.caller.Close()
	}
}

// backend is one discovery's use of a source.
type backend struct {
	settings settings
	selected selection
	env      discovery.Env
	pool     *Pool

	mu     sync.Mutex
	source *source // its share, from its first use on
	closed bool
}

var errClosed = errors.New("the consul backend is closed")

// open is the source, taken from the pool when the backend first uses it: one made to judge a setting takes none.
func (b *backend) open() (*source, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, errClosed
	}
	if b.source == nil {
		b.source = b.pool.take(b.settings.connection(), b.env)
	}
	return b.source, nil
}

// Close gives the backend's share of its source back. The caller has ended its Watch and its Reads.
func (b *backend) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed && b.source != nil {
		b.pool.release(b.settings.connection())
	}
	b.closed = true
	return nil
}

// Watch names services that moved, from the watch this source's backends share.
func (b *backend) Watch(ctx context.Context, nudge func(names []string)) error {
	source, err := b.open()
	if err != nil {
		return err
	}
	s := &subscriber{selected: b.selected, most: b.settings.WatchServices, nudges: discovery.NewNudges()}
	source.hub.join(ctx, s)
	defer source.hub.leave(s)
	return s.nudges.Run(ctx, nudge)
}
