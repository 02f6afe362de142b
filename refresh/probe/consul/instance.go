package consul

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"strconv"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

// instance is what is read of one instance of a service.
type instance struct {
	Node *struct {
		Node    string
		Address string
	}
	Service *struct {
		ID      string
		Service string
		Address string
		Port    int
		Meta    map[string]string
	}
	Checks []check
}

type check struct {
	CheckID string
	Name    string
	Status  string
}

// key is what an instance is known by.
func (s *settings) key(i *instance) string {
	meta := i.Service.Meta
	if s.match == byID {
		return first(meta["muster-node"], i.Service.ID)
	}
	port := strconv.Itoa(i.Service.Port)
	return net.JoinHostPort(first(meta["muster-address"], i.Service.Address, i.Node.Address), first(meta["muster-port"], port))
}

// keyOf is what the instance of a target is known by.
func (s *settings) keyOf(t *refresh.Target) string {
	if s.match == byID {
		return t.Node
	}
	return t.HostPort()
}

func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// probe asks about one service and fills in the reports of its members among the targets.
func (p *Prober) probe(ctx context.Context, service string, members []member) error {
	body, err := p.query(ctx, service)
	if err != nil {
		return err
	}
	wanted := make(map[string]*instance, len(members))
	for _, m := range members {
		wanted[p.keyOf(m.target)] = nil
	}
	if err := p.find(ctx, service, body, wanted); err != nil {
		return err
	}
	for _, m := range members {
		key := p.keyOf(m.target)
		if found := wanted[key]; found != nil {
			*m.report = p.report(m.target.Node, found)
			continue
		}
		*m.report = fsm.Unreachable(m.target.Node, ReasonNotListed,
			"Consul lists no instance of service "+strconv.Quote(service)+" with the "+p.match+" "+strconv.Quote(key))
	}
	return nil
}

// find reads an answer to its end and keeps the instances that are wanted, by their key.
func (p *Prober) find(ctx context.Context, service string, body []byte, wanted map[string]*instance) error {
	dec := json.NewDecoder(bytes.NewReader(body))
	if open, err := dec.Token(); err != nil || open != json.Delim('[') {
		return refresh.NewFault(fsm.ReasonDecode, "the answer is no list of instances")
	}
	listed := 0
	for dec.More() {
		i, err := next(ctx, dec)
		if err != nil {
			return err
		}
		if i.Service.Service != service { // Consul also gives services whose names differ in case only
			continue
		}
		listed++
		key := p.key(i)
		before, ok := wanted[key]
		if before != nil {
			return refresh.NewFault(fsm.ReasonProtocol, "two instances, on %s and on %s, have the %s %q; "+
				"give them ids of their own, or muster-node in their meta", before.Node.Node, i.Node.Node, p.match, key)
		}
		if ok {
			wanted[key] = i
		}
	}
	if _, err := dec.Token(); err != nil {
		return refresh.NewFault(fsm.ReasonDecode, "the answer is cut short")
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return refresh.NewFault(fsm.ReasonDecode, "something follows the list of instances")
	}
	if listed == 0 {
		return refresh.NewFault(fsm.ReasonProtocol, "no instances are listed; check service and datacenter; %s", remedy(service))
	}
	return nil
}

func next(ctx context.Context, dec *json.Decoder) (*instance, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	i := new(instance)
	if err := dec.Decode(i); err != nil {
		return nil, refresh.NewFault(fsm.ReasonDecode, "an instance cannot be read: %w", err)
	}
	if i.Node == nil || i.Service == nil {
		return nil, refresh.NewFault(fsm.ReasonDecode, "an instance has no node or no service")
	}
	return i, nil
}
