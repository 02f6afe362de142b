package consul

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe"
)

// ReasonNotListed is the reason of a node that Consul does not list.
const ReasonNotListed = "not_in_consul"

const (
	defaultAddress = "127.0.0.1:8500"
	maxConns       = 16

	byID      = "id"
	byAddress = "address"
)

// Prober asks Consul about nodes. It is a refresh.ClusterProber.
type Prober struct {
	settings
	pages probe.Pages
}

type settings struct {
	address                          string
	datacenter, namespace, partition string
	service, label                   string
	match                            string
	kind                             string
	stale                            bool
}

// New makes a Prober.
func New(config fsm.JSON, env refresh.Env) (refresh.Asker, error) {
	p := &Prober{settings: settings{address: defaultAddress, match: byID}}
	web := probe.Web{Conns: maxConns}
	err := probe.Read(config, probe.Join(web.Fields(), probe.Fields{
		"address": &p.address, "datacenter": &p.datacenter, "namespace": &p.namespace, "partition": &p.partition,
		"service": &p.service, "service_label": &p.label, "match": &p.match, "kind": &p.kind, "stale": &p.stale,
	}))
	if err != nil {
		return nil, err
	}
	if err := web.Check(env); err != nil {
		return nil, err
	}
	if err := p.check(); err != nil {
		return nil, err
	}
	p.pages = web.Pages(env)
	return p, nil
}

func (s *settings) check() error {
	const field = "refresh.config."
	host, port, err := net.SplitHostPort(s.address)
	number, odd := strconv.ParseUint(port, 10, 16)
	switch {
	case err != nil, odd != nil, number == 0, host == "", strings.ContainsAny(host, "/@ "):
		return fsm.Invalid(field+"address", "is not host:port, like %s; https is \"tls\": true", defaultAddress)
	case s.service != "" && s.label != "":
		return fsm.Invalid(field+"service_label", "is set beside service; only one can be")
	case s.match != byID && s.match != byAddress:
		return fsm.Invalid(field+"match", "%q is neither %q nor %q", s.match, byID, byAddress)
	case len(s.kind) > fsm.MaxWord:
		return fsm.Invalid(field+"kind", "is longer than %d bytes", fsm.MaxWord)
	}
	return nil
}

// Close closes the idle connections.
func (p *Prober) Close() { p.pages.Close() }

// ProbeCluster implements refresh.ClusterProber.
func (p *Prober) ProbeCluster(ctx context.Context, targets []refresh.Target) ([]fsm.Report, error) {
	reports := make([]fsm.Report, len(targets))
	var services []string
	members := map[string][]member{} // by service
	for i := range targets {
		name := p.serviceOf(&targets[i])
		if members[name] == nil {
			services = append(services, name)
		}
		members[name] = append(members[name], member{&targets[i], &reports[i]})
	}
	for _, name := range services {
		if err := p.probe(ctx, name, members[name]); err != nil {
			return nil, fmt.Errorf("consul at %s, service %q: %w", p.address, name, err)
		}
	}
	return reports, nil
}

// member is a target and where its report goes.
type member struct {
	target *refresh.Target
	report *fsm.Report
}

func (s *settings) serviceOf(t *refresh.Target) string {
	switch {
	case s.service != "":
		return s.service
	case s.label != "" && t.Labels[s.label] != "":
		return t.Labels[s.label]
	}
	return t.Cluster
}
