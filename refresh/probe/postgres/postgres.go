package postgres

import (
	"context"
	"strings"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe"
)

// Prober asks PostgreSQL servers.
type Prober struct {
	env      refresh.Env
	login    probe.Login
	tls      probe.TLS
	database string
	links    probe.Links[*client]
}

// New makes a Prober.
func New(config fsm.JSON, env refresh.Env) (refresh.Asker, error) {
	p := &Prober{env: env, login: probe.Login{Username: "muster"}, database: "postgres"}
	fields := probe.Join(p.login.Fields(), p.tls.Fields(), probe.Fields{"database": &p.database})
	if err := probe.Read(config, fields); err != nil {
		return nil, err
	}
	if err := p.login.Check(env); err != nil {
		return nil, err
	}
	if err := p.tls.Check(env); err != nil {
		return nil, err
	}
	for key, value := range map[string]string{"username": p.login.Username, "database": p.database} {
		if value == "" || strings.ContainsRune(value, 0) {
			return nil, fsm.Invalid("refresh.config."+key, "is empty or holds a zero byte")
		}
	}
	p.links = probe.Links[*client]{Env: env, MaxAnswer: maxAnswers, Open: p.open, Fault: faultOf}
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
		return f.report(t.Node), nil
	})
}
