package etcd

import (
	"context"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe"
)

// Prober asks etcd members.
type Prober struct {
	env   refresh.Env
	login probe.Login
	tls   probe.TLS
	links probe.Links[*client]
}

// New makes a Prober.
func New(config fsm.JSON, env refresh.Env) (refresh.Asker, error) {
	p := &Prober{env: env}
	if err := probe.Read(config, probe.Join(p.login.Fields(), p.tls.Fields())); err != nil {
		return nil, err
	}
	if err := p.login.CheckWhole(env); err != nil {
		return nil, err
	}
	if err := p.tls.Check(env); err != nil {
		return nil, err
	}
	p.links = probe.Links[*client]{Env: env, MaxAnswer: maxAnswers, Open: p.open, Fault: faultOf}
	return p, nil
}

// Close closes the idle connections.
func (p *Prober) Close() { p.links.Close() }

// Probe implements refresh.Prober.
func (p *Prober) Probe(ctx context.Context, t refresh.Target) fsm.Report {
	return p.links.Report(ctx, t, func(ctx context.Context, c *client) (fsm.Report, error) {
		s, err := c.ask(ctx)
		if err != nil {
			return fsm.Report{}, err
		}
		return report(t.Node, s)
	})
}
