package redis

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe"
)

// Prober asks Redis servers.
type Prober struct {
	dial     func(ctx context.Context, network, address string) (net.Conn, error)
	connect  time.Duration
	reveal   func(refresh.Secret) (string, error)
	username string
	password refresh.Secret
	idle     idle
}

// silence takes go-redis's own log, which goes to stderr and says nothing that a report does not.
var silence = sync.OnceFunc(func() { redis.SetLogger(silent{}) })

type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

// New makes a Prober.
func New(config fsm.JSON, env refresh.Env) (refresh.Asker, error) {
	silence()
	p := &Prober{dial: env.Dial, connect: env.ConnectTimeout, reveal: env.Reveal}
	err := probe.Read(config, probe.Fields{
		"username": &p.username, "password_file": &p.password.File, "password_env": &p.password.Variable,
	})
	if err != nil {
		return nil, err
	}
	if err := probe.CheckSecret("password", p.password, env); err != nil {
		return nil, err
	}
	if p.username != "" && p.password == (refresh.Secret{}) {
		return nil, fsm.Invalid("refresh.config.username", "is set without password_file or password_env")
	}
	return p, nil
}

// Close closes the idle connections.
func (p *Prober) Close() { p.idle.close() }

// Probe implements refresh.Prober.
func (p *Prober) Probe(ctx context.Context, t refresh.Target) fsm.Report {
	f, err := p.ask(ctx, t.HostPort())
	if err != nil {
		return t.Failed(err)
	}
	r, err := f.report(t.Node)
	if err != nil {
		return t.Failed(err)
	}
	return r
}

func (p *Prober) ask(ctx context.Context, address string) (facts, error) {
	if err := ctx.Err(); err != nil {
		return facts{}, err
	}
	if l := p.idle.take(address); l != nil {
		f, again, err := l.read(ctx)
		p.settle(l, err)
		if !again {
			return f, err
		}
	}
	l, err := p.open(ctx, address)
	if err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return facts{}, err
	}
	f, _, err := l.read(ctx)
	p.settle(l, err)
	return f, err
}

func (p *Prober) settle(l *link, err error) {
	if err != nil {
		l.close()
		return
	}
	p.idle.put(l)
}

func (p *Prober) open(ctx context.Context, address string) (*link, error) {
	password := ""
	if p.password != (refresh.Secret{}) {
		var err error
		if password, err = p.reveal(p.password); err != nil {
			return nil, refresh.NewFault(fsm.ReasonAuth, "read the password: %w", err)
		}
	}
	if p.connect > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, p.connect)
		defer cancel()
	}
	conn, err := p.dial(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return newLink(conn, address, p.username, password), nil
}
