package probe_test

import (
	"context"
	"net"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/musterhq/muster/refresh"
)

// pipes is a network in memory: each dial is handed to serve, with the number of the dial, from 1.
type pipes struct {
	serve func(dial int, conn net.Conn)

	mu     sync.Mutex
	dialed []string // addresses, in order
	open   int
	all    sync.WaitGroup
}

// network makes pipes; when the test ends nothing of them may be left.
func network(t *testing.T, serve func(dial int, conn net.Conn)) *pipes {
	t.Helper()
	p := &pipes{serve: serve}
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() {
		p.all.Wait()
		if _, open := p.counts(); open != 0 {
			t.Errorf("%d connections are left", open)
		}
		goleak.VerifyNone(t, before)
	})
	return p
}

func (p *pipes) dial(ctx context.Context, _, address string) (net.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	ours, theirs := net.Pipe()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dialed = append(p.dialed, address)
	p.open++
	n := len(p.dialed)
	p.all.Go(func() {
		p.serve(n, theirs)
		_ = theirs.Close()
	})
	return &counted{Conn: ours, closed: p.closed}, nil
}

func (p *pipes) closed() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open--
}

func (p *pipes) env() refresh.Env { return refresh.Env{Dial: p.dial} }

// counts are how many connections were dialed, and how many of them this side has not closed.
func (p *pipes) counts() (dials, open int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.dialed), p.open
}

func (p *pipes) expect(t *testing.T, dials, open int) {
	t.Helper()
	if d, o := p.counts(); d != dials || o != open {
		t.Errorf("%d connections were dialed and %d are open, wanted are %d and %d", d, o, dials, open)
	}
}

// counted notices the first Close.
type counted struct {
	net.Conn
	closed func()
	once   sync.Once
}

func (c *counted) Close() error {
	c.once.Do(c.closed)
	return c.Conn.Close()
}
