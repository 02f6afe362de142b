package mysql

import (
	"context"
	"strings"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe"
)

// Prober asks MySQL and MariaDB servers.
type Prober struct {
	env   refresh.Env
	login probe.Login
	tls   probe.TLS
	links probe.Links[*client]
}

// New makes a Prober.
func New(config fsm.JSON, env refresh.Env) (refresh.Asker, error) {
	p := &Prober{env: env, login: probe.Login{Username: "muster"}}
	if err := probe.Read(config, probe.Join(p.login.Fields(), p.tls.Fields())); err != nil {
		return nil, err
	}
	if err := p.login.Check(env); err != nil {
		return nil, err
	}
	if err := p.tls.Check(env); err != nil {
		return nil, err
	}
	if name := p.login.Username; name == "" || len(name) > fsm.MaxName || strings.ContainsRune(name, 0) {
		return nil, fsm.Invalid("refresh.config.username", "is empty, too long or holds a zero byte")
	}
	p.links = probe.Links[*client]{Env: env, MaxAnswer: maxAnswers, Open: p.open, Fault: faultOf}
	return p, nil
}

// Close closes the idle connections.
func (p *Prober) Close() { p.links.Close() }

// Probe implements refresh.Prober.
func (p *Prober) Probe(ctx context.Context, t refresh.Target) fsm.Report {
	return p.links.Report(ctx, t, func(_ context.Context, c *client) (fsm.Report, error) {
		f, err := c.ask()
		if err != nil {
			return fsm.Report{}, err
		}
		return f.report(t.Node), nil
	})
}
