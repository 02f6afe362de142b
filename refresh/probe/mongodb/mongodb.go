package mongodb

import (
	"context"
	"strings"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe"
)

// Prober asks MongoDB servers.
type Prober struct {
	env    refresh.Env
	login  probe.Login
	tls    probe.TLS
	source string // the database that knows the user
	links  probe.Links[*client]
}

// New makes a Prober.
func New(config fsm.JSON, env refresh.Env) (refresh.Asker, error) {
	const source = "admin"
	p := &Prober{env: env, source: source}
	err := probe.Read(config, probe.Join(p.login.Fields(), p.tls.Fields(), probe.Fields{"auth_source": &p.source}))
	if err != nil {
		return nil, err
	}
	if err := p.login.CheckWhole(env); err != nil {
		return nil, err
	}
	if err := p.tls.Check(env); err != nil {
		return nil, err
	}
	switch {
	case p.login.Username == "" && p.source != source:
		return nil, fsm.Invalid("refresh.config.auth_source", "is set without a login")
	case p.source == "$external":
		return nil, fsm.Invalid("refresh.config.auth_source", "is for logins other than SCRAM, which is the one known here")
	case p.source == "" || strings.ContainsAny(p.source, "/\\. \"$\x00"):
		return nil, fsm.Invalid("refresh.config.auth_source", "is no name of a database")
	}
	p.links = probe.Links[*client]{Env: env, Open: p.open, Fault: faultOf}
	return p, nil
}

// Close closes the idle connections.
func (p *Prober) Close() { p.links.Close() }

// Probe implements refresh.Prober.
func (p *Prober) Probe(ctx context.Context, t refresh.Target) fsm.Report {
	return p.links.Report(ctx, t, func(_ context.Context, c *client) (fsm.Report, error) {
		f, err := c.facts()
		if err != nil {
			return fsm.Report{}, err
		}
		return f.report(t.Node), nil
	})
}
