package nats

import (
	"context"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe"
)

// Prober asks NATS servers.
type Prober struct {
	pages   probe.Pages
	env     refresh.Env
	port    int // of every target; zero takes the target's own
	streams bool
}

// New makes a Prober.
func New(config fsm.JSON, env refresh.Env) (refresh.Asker, error) {
	var web probe.Web
	p := &Prober{env: env}
	fields := probe.Fields{"monitor_port": &p.port, "streams": &p.streams}
	if err := probe.Read(config, probe.Join(fields, web.Fields())); err != nil {
		return nil, err
	}
	if p.port < 0 || p.port > 65535 {
		return nil, fsm.Invalid("refresh.config.monitor_port", "is no port")
	}
	if err := web.Check(env); err != nil {
		return nil, err
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
