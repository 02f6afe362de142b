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
	if err := p.login.Check(env); err != nil {
		return nil, err
	}
	if err := p.tls.Check(env); err != nil {
		return nil, err
	}
	none := refresh.Secret{}
	switch complete := p.login.Username != "" && p.login.Password != none; {
	case !complete && p.login != (probe.Login{}):
		return nil, fsm.Invalid("refresh.config.username", "and a password go together")
	case !complete && p.source != source:
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
	var f facts
	err := p.links.Ask(ctx, t, func(_ context.Context, c *client) (err error) {
		f, err = c.facts()
		return err
	})
	if err != nil {
		return t.Failed(err)
	}
	return f.report(t.Node)
}
