package kafka

import (
	"context"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe"
)

const (
	defaultPartitions = 256
	maxTopics         = 1024 // named in a config
	maxTopicName      = 249  // bytes
)

// Prober asks Kafka brokers.
type Prober struct {
	env    refresh.Env
	login  probe.Login
	tls    probe.TLS
	sasl   string
	topics []string
	keep   int // partitions listed on a broker at most
	links  probe.Links[*client]
}

// New makes a Prober.
func New(config fsm.JSON, env refresh.Env) (refresh.Asker, error) {
	p := &Prober{env: env, keep: defaultPartitions}
	err := probe.Read(config, probe.Join(p.login.Fields(), p.tls.Fields(), probe.Fields{
		"sasl": &p.sasl, "topics": &p.topics, "max_partitions": &p.keep,
	}))
	if err != nil {
		return nil, err
	}
	if err := p.check(); err != nil {
		return nil, err
	}
	p.links = probe.Links[*client]{Env: env, MaxAnswer: maxAnswers, Open: p.open}
	return p, nil
}

func (p *Prober) check() error {
	if err := p.login.Check(p.env); err != nil {
		return err
	}
	if err := p.tls.Check(p.env); err != nil {
		return err
	}
	if most := fsm.MaxShards - 1; p.keep < 0 || p.keep > most {
		return fsm.Invalid("refresh.config.max_partitions", "is not from 0 to %d", most)
	}
	if len(p.topics) > maxTopics {
		return fsm.Invalid("refresh.config.topics", "names more than %d", maxTopics)
	}
	for _, topic := range p.topics {
		if topic == "" || len(topic) > maxTopicName {
			return fsm.Invalid("refresh.config.topics", "names one that is not 1 to %d bytes long", maxTopicName)
		}
	}
	return p.checkSASL()
}

// Close closes the idle connections.
func (p *Prober) Close() { p.links.Close() }

// Probe implements refresh.Prober.
func (p *Prober) Probe(ctx context.Context, t refresh.Target) fsm.Report {
	var f facts
	var answered bool
	err := p.links.Ask(ctx, t, func(ctx context.Context, c *client) (err error) {
		f, err = c.facts(ctx, p)
		if answered = err == nil; answered && c.spent {
			return errSpent
		}
		return err
	})
	if !answered || err != nil && ctx.Err() != nil {
		return t.Failed(err)
	}
	return f.report(t.Node, p.keep)
}
