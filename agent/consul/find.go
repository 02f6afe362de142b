package consul

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strconv"

	"github.com/hashicorp/consul/api"

	source "github.com/musterhq/muster/discovery/consul"
)

// Scheme is how a target begins that Find finds: consul://SERVICE[?tag=TAG&dc=DATACENTER].
const Scheme = "consul"

const (
	metaGossip   = "gossip_addr" // of an instance: where it gossips
	taggedGossip = "gossip"
)

// wanted is what a target names.
type wanted struct {
	service    string
	tags       []string // an instance must have them all
	datacenter string
}

// CheckTarget says what is wrong with a target.
func CheckTarget(u *url.URL) error {
	_, err := parse(u)
	return err
}

func parse(u *url.URL) (wanted, error) {
	switch {
	case u.Scheme != Scheme:
		return wanted{}, fmt.Errorf("begins with %s://, not %s://", u.Scheme, Scheme)
	case u.User != nil:
		return wanted{}, errors.New("holds credentials; the token is in the file of -consul-token-file")
	case u.Port() != "":
		return wanted{}, errors.New("names a service, not an address; the address of Consul is -consul-addr")
	case u.Hostname() == "":
		return wanted{}, errors.New("names no service; wanted is one like consul://muster")
	case u.Fragment != "":
		return wanted{}, errors.New("has a fragment; wanted is a service and ?tag= or ?dc=, like consul://muster?dc=east")
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return wanted{}, errors.New("has a query that is none; wanted is one like ?tag=voter&dc=east")
	}
	for _, key := range slices.Sorted(maps.Keys(query)) {
		if key != "tag" && key != "dc" {
			return wanted{}, fmt.Errorf("has ?%s=; ?tag= and ?dc= are known", key)
		}
		if slices.Contains(query[key], "") {
			return wanted{}, fmt.Errorf("has an empty ?%s=", key)
		}
	}
	if len(query["dc"]) > 1 {
		return wanted{}, errors.New("has ?dc= twice; name each data centre in a target of its own")
	}
	return wanted{service: u.Host + u.Path, tags: query["tag"], datacenter: query.Get("dc")}, nil
}

// Find gives the addresses where the instances of a service gossip, the healthy ones first.
func (c *Client) Find(ctx context.Context, u *url.URL) ([]string, error) {
	w, err := parse(u)
	if err != nil {
		return nil, err
	}
	all, err := source.Ask(ctx, c.caller, func(to *api.Client, o *api.QueryOptions) ([]*api.ServiceEntry, *api.QueryMeta, error) {
		if w.datacenter != "" {
			o.Datacenter = w.datacenter
		}
		return to.Health().ServiceMultipleTags(w.service, w.tags, false, o)
	})
	if err != nil {
		return nil, fmt.Errorf("consul at %s: %w", c.caller.Name(), err)
	}
	out := addresses(all)
	if len(out) == 0 {
		return nil, fmt.Errorf("consul at %s knows no instance of service %q%s, or shows none to a token without "+
			`service %q {policy = "read"} node_prefix "" {policy = "read"}`, c.caller.Name(), w.service, w.narrowed(), w.service)
	}
	return out, nil
}

// narrowed is what a target wants of an instance.
func (w wanted) narrowed() string {
	out := ""
	if len(w.tags) > 0 {
		out += fmt.Sprintf(" with the tags %q", w.tags)
	}
	if w.datacenter != "" {
		out += fmt.Sprintf(" in data centre %q", w.datacenter)
	}
	return out
}

// addresses are where instances gossip, those that pass their checks first.
func addresses(all []*api.ServiceEntry) []string {
	var well, unwell []string
	for _, e := range all {
		if e == nil || e.Node == nil || e.Service == nil {
			continue
		}
		if e.Checks.AggregatedStatus() == api.HealthPassing {
			well = append(well, address(e))
		} else {
			unwell = append(unwell, address(e))
		}
	}
	return append(well, unwell...)
}

func address(e *api.ServiceEntry) string {
	if at := e.Service.Meta[metaGossip]; at != "" {
		return at
	}
	at := api.ServiceAddress{Address: e.Service.Address, Port: e.Service.Port}
	if tagged, ok := e.Service.TaggedAddresses[taggedGossip]; ok {
		at = tagged
	}
	if at.Address == "" {
		at.Address = e.Node.Address
	}
	if at.Port == 0 {
		return at.Address // the default port of gossip
	}
	return net.JoinHostPort(at.Address, strconv.Itoa(at.Port))
}
