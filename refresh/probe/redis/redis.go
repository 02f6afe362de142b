package redis

import (
	"context"
	"sync"

	"github.com/redis/go-redis/v9"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe"
)

// Prober asks Redis servers.
type Prober struct {
	env   refresh.Env
	login probe.Login
	tls   probe.TLS
	links probe.Links[*client]
}

// silence takes go-redis's own log, which goes to stderr and says nothing that a report does not.
var silence = sync.OnceFunc(func() { redis.SetLogger(silent{}) })

type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

// New makes a Prober.
func New(config fsm.JSON, env refresh.Env) (refresh.Asker, error) {
	silence()
	p := &Prober{env: env}
	if err := probe.Read(config, probe.Join(p.login.Fields(), p.tls.Fields())); err != nil {
		return nil, err
	}
	if err := p.login.Check(env); err != nil {
		return nil, err
	}
	if err := p.tls.Check(env); err != nil {
		return nil, err
	}
	if p.login.Username != "" && p.login.Password == (refresh.Secret{}) {
		return nil, fsm.Invalid("refresh.config.username", "is set without password_file or password_env")
	}
	p.links = probe.Links[*client]{Env: env, MaxAnswer: maxAnswers, Open: p.open}
	return p, nil
}

// Close closes the idle connections.
func (p *Prober) Close() { p.links.Close() }

// Probe implements refresh.Prober.
func (p *Prober) Probe(ctx context.Context, t refresh.Target) fsm.Report {
	return p.links.Report(ctx, t, func(ctx context.Context, c *client) (fsm.Report, error) {
		f, err := c.ask(ctx)
		if err != nil {
			return fsm.Report{}, err
		}
		return f.report(t.Node)
	})
}
