package etcd

import (
	"context"

	"go.etcd.io/etcd/client/v3"

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
	if err := p.login.Check(env); err != nil {
		return nil, err
	}
	if (p.login.Username == "") != (p.login.Password == refresh.Secret{}) {
		return nil, fsm.Invalid("refresh.config.username", "and a password go together")
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
	var s *clientv3.StatusResponse
	err := p.links.Ask(ctx, t, func(ctx context.Context, c *client) (err error) {
		s, err = c.ask(ctx)
		return err
	})
	if err != nil {
		return t.Failed(err)
	}
	r, err := report(t.Node, s)
	if err != nil {
		return t.Failed(err)
	}
	return r
}
