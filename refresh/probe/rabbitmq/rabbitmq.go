package rabbitmq

import (
	"context"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe"
)

// Prober asks RabbitMQ nodes.
type Prober struct {
	pages  probe.Pages
	env    refresh.Env
	port   int // of every target; zero takes the target's own
	queues bool
}

// New makes a Prober.
func New(config fsm.JSON, env refresh.Env) (refresh.Asker, error) {
	var web probe.Web
	p := &Prober{env: env, queues: true}
	fields := probe.Fields{"management_port": &p.port, "queues": &p.queues}
	if err := probe.Read(config, probe.Join(fields, web.Fields())); err != nil {
		return nil, err
	}
	if p.port < 0 || p.port > 65535 {
		return nil, fsm.Invalid("refresh.config.management_port", "is no port")
	}
	if err := web.Check(env); err != nil {
		return nil, err
	}
	if web.Login == (probe.Login{}) && web.Token == (refresh.Secret{}) {
		return nil, fsm.Invalid("refresh.config.username", "is missing: the API answers users with the tag monitoring")
	}
	p.pages = web.Pages(env)
	return p, nil
}

// Close closes the idle connections.
func (p *Prober) Close() { p.pages.Close() }

// Probe implements refresh.Prober.
func (p *Prober) Probe(ctx context.Context, t refresh.Target) fsm.Report {
	if err := ctx.Err(); err != nil {
		return t.Failed(err)
	}
	f, err := p.ask(ctx, t)
	if err != nil {
		return t.Failed(explain(err))
	}
	return f.report(t.Node)
}
