package zookeeper

import (
	"context"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe"
)

// Prober asks ZooKeeper servers.
type Prober struct {
	env   refresh.Env
	tls   probe.TLS
	links probe.Links[*client]
}

// New makes a Prober.
func New(config fsm.JSON, env refresh.Env) (refresh.Asker, error) {
	p := &Prober{env: env}
	if err := probe.Read(config, p.tls.Fields()); err != nil {
		return nil, err
	}
	if err := p.tls.Check(env); err != nil {
		return nil, err
	}
	p.links = probe.Links[*client]{Env: env, MaxAnswer: maxAnswer, Open: p.open}
	return p, nil
}

// Close does nothing that matters: no connection is kept.
func (p *Prober) Close() { p.links.Close() }

// Probe implements refresh.Prober.
func (p *Prober) Probe(ctx context.Context, t refresh.Target) fsm.Report {
	return p.links.Report(ctx, t, func(ctx context.Context, c *client) (fsm.Report, error) {
		answer, err := c.ask(ctx)
		if err != nil {
			return fsm.Report{}, err
		}
		return report(t.Node, answer)
	})
}
