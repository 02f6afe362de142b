package peerport

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// Port is one peer's end of all its peer connections. Its methods may be called
// concurrently.
type Port struct {
	cfg      Config
	instance string
	secure   *tls.Config // of what is accepted; nil is plain TCP
	life     *life
	metrics  *metrics
	refusals *refusals
	conns    *connSet
	web      *handoff
	streams  *Streams
	client   *Client
	started  atomic.Bool
}

// New validates cfg and fills in its defaults. It starts nothing; until Run the
// listener stays the caller's to close.
func New(cfg Config) (*Port, error) {
	cfg.setDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("peer port: %w", err)
	}
	m, err := newMetrics(cfg.Registerer)
	if err != nil {
		return nil, fmt.Errorf("peer port: %w", err)
	}
	p := &Port{
		cfg:      cfg,
		instance: rand.Text(),
		life:     &life{ended: make(chan struct{})},
		metrics:  m,
		refusals: newRefusals(cfg.Log, m),
		conns:    newConnSet(&cfg, m),
		web:      newHandoff(cfg.ID),
	}
	if cfg.TLS != nil {
		p.secure = cfg.TLS.PeerServer(alpnRaft, alpnHTTP)
	}
	p.streams = &Streams{port: p, in: newHandoff(cfg.ID)}
	p.client = newClient(p)
	return p, nil
}

// Streams is the layer for raft.NewNetworkTransport.
func (p *Port) Streams() *Streams { return p.streams }

// Client asks other peers over peer-HTTP.
func (p *Port) Client() *Client { return p.client }

// Run serves the port until ctx ends and then returns nil, or until the listener
// fails for good. When it returns, every connection of the port, accepted or
// dialed, is closed. It can be called once.
func (p *Port) Run(ctx context.Context) error {
	if !p.started.CompareAndSwap(false, true) {
		return errors.New("peer port: run a second time")
	}
	tasks, ctx := errgroup.WithContext(ctx)
	tasks.Go(func() error { return p.accept(ctx) })
	tasks.Go(func() error { return p.serveHTTP(ctx) })
	tasks.Go(func() error {
		<-ctx.Done()
		p.stop()
		return nil
	})
	err := tasks.Wait()
	p.conns.closeAll(protocolHTTP) // those a handler hijacked
	p.client.transport.CloseIdleConnections()
	return err
}

// stop ends everything but the requests being served.
func (p *Port) stop() {
	p.life.end()
	if err := p.cfg.Listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		p.cfg.Log.Warn("close the peer port's listener", slog.Any("error", err))
	}
	_ = p.streams.Close()
	p.conns.seal()
	p.conns.closeAll(protocolNew, protocolRaft, protocolDialed)
}

// accept reads nothing from what it accepts, so that nobody can hold it up. It
// outlasts errors, as of too many open files, but not the listener.
func (p *Port) accept(ctx context.Context) error {
	const shortest, longest = 5 * time.Millisecond, time.Second
	var greetings sync.WaitGroup
	defer greetings.Wait()
	pause := shortest
	for {
		raw, err := p.cfg.Listener.Accept()
		switch {
		case err == nil:
			pause = shortest
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("accept peer connection: %w", err)
		default:
			p.cfg.Log.Error("accept peer connection", slog.Any("error", err), slog.Duration("pause", pause))
			if !sleep(ctx, pause) {
				return nil
			}
			pause = min(2*pause, longest)
			continue
		}
		c, err := p.conns.admit(raw)
		if err != nil {
			_ = raw.Close()
			p.turnAway(raw, err)
			continue
		}
		greetings.Go(func() { p.greet(c) })
	}
}

func (p *Port) turnAway(raw net.Conn, err error) {
	remote := slog.String("remote", raw.RemoteAddr().String())
	switch {
	case errors.Is(err, errTooMany):
		p.refusals.add(refusedConns, remote)
	case errors.Is(err, errTooManyPerIP):
		p.refusals.add(refusedConnsPerIP, remote)
	case errors.Is(err, errTooManyNew):
		p.refusals.add(refusedHandshakes, remote)
	case errors.Is(err, errTooManyNewPerIP):
		p.refusals.add(refusedHandshakesPerIP, remote)
	}
}

// dial connects to a peer for what alpn names. Here the id becomes an address,
// and here TLS begins. Every error is a *DialError.
func (p *Port) dial(ctx context.Context, id, alpn string) (net.Conn, error) {
	addr, ok := p.cfg.Resolve(id)
	if !ok {
		return nil, &DialError{Peer: id, Err: ErrUnknownPeer}
	}
	raw, err := p.cfg.Dial(ctx, "tcp", addr)
	if err != nil {
		return nil, &DialError{Peer: id, Addr: addr, Err: err}
	}
	c, err := p.conns.adopt(raw)
	if err != nil {
		_ = raw.Close()
		return nil, &DialError{Peer: id, Addr: addr, Err: err}
	}
	secured, err := p.secured(ctx, c, alpn)
	if err != nil {
		_ = c.Close()
		return nil, &DialError{Peer: id, Addr: addr, Err: err}
	}
	return secured, nil
}

// sleep reports false when ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
