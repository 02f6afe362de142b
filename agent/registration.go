package agent

import (
	"context"
	"errors"

	"github.com/musterhq/muster/agent/consul"
	"github.com/musterhq/muster/discovery"
)

// makeRegistration makes this peer's entry in Consul, if it is to have one.
func (a *Agent) makeRegistration(context.Context) error {
	if !a.cfg.Consul.Register {
		return nil
	}
	var err error
	a.registration, err = consul.NewRegistration(a.cfg.Consul, discovery.Env{Log: a.log}, a.instance, a.cfg.Registerer)
	if err != nil {
		return err
	}
	a.did("registration in Consul", func() error { a.registration.Close(); return nil })
	return nil
}

// keepRegistered keeps the entry as this peer is. In the end a peer that was to stop is deregistered, and one that failed is
// left there with the reason, since it is missing.
func (a *Agent) keepRegistered(ctx context.Context) error {
	if a.registration == nil {
		return nil
	}
	err := a.registration.Run(ctx)
	last := context.WithoutCancel(ctx)
	if why := a.ending.Cause(); why != nil && !errors.Is(why, errLeft) && !errors.Is(why, errRemoved) {
		a.registration.Fail(last, why)
	} else {
		a.registration.Withdraw(last)
	}
	return err
}

// instance is this peer as Consul is told, once gossip has its address.
func (a *Agent) instance() (consul.Instance, bool) {
	out := consul.Instance{
		Peer: a.id, Name: a.cfg.Name, Group: a.cfg.Group, GroupID: a.groupID(), Version: a.cfg.Version, Secure: a.cfg.TLS.on(),
	}
	for _, m := range (membersFace{a}).Members() {
		if m.ID == a.id {
			out.Role, out.HTTPAddr, out.PeerAddr, out.GossipAddr = m.Role, m.HTTPAddress, m.Address, m.GossipAddress
		}
	}
	if err := (lifeFace{a}).Ready(); err != nil {
		out.Unready = err.Error()
	}
	return out, out.GossipAddr != ""
}
