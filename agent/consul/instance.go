package consul

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"

	"github.com/hashicorp/consul/api"
)

// The roles of a peer, which are tags of its instance. A leader is a voter as well.
const (
	leader  = "leader"
	voter   = "voter"
	standby = "standby"
	worker  = "worker"
)

func isRole(tag string) bool { return slices.Contains([]string{leader, voter, standby, worker}, tag) }

// Instance is what a peer says of itself.
type Instance struct {
	Peer, Name     string // id, and name for people
	Group, GroupID string // name, and id once there is one
	Version        string
	Role           string // leader, voter, standby or worker; "" while no group has taken the peer in

	HTTPAddr   string // host:port of the API
	Secure     bool   // the API speaks TLS
	PeerAddr   string
	GossipAddr string

	Unready string // why the peer should be sent no requests now; "" when it is ready
}

// serviceID is unique on one agent of Consul, and the same after each start of a peer.
func (i Instance) serviceID() string { return "muster-" + i.Peer }

// checkOf is the check of a service id, as Consul would call it.
func checkOf(id string) string { return "service:" + id }

// health is the status of the instance's check, and its words.
func (i Instance) health() (status, output string) {
	if i.Unready != "" {
		return api.HealthCritical, i.Unready
	}
	return api.HealthPassing, "The peer is ready."
}

func (i Instance) tags(more []string) []string {
	out := slices.Clone(more)
	switch i.Role {
	case "":
	case leader:
		out = append(out, leader, voter)
	default:
		out = append(out, i.Role)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (i Instance) meta() map[string]string {
	scheme := "http"
	if i.Secure {
		scheme = "https"
	}
	out := map[string]string{
		"peer_id": i.Peer, "name": i.Name, "group": i.Group, "group_id": i.GroupID, "version": i.Version, "role": i.Role,
		"scheme": scheme, "peer_addr": i.PeerAddr, metaGossip: i.GossipAddr,
	}
	for key, value := range out {
		if value == "" {
			delete(out, key)
		}
	}
	return out
}

// entry is what is registered of an instance. It leaves alone what else the agent of Consul keeps with it, such as an
// operator's maintenance.
func (i Instance) entry(c *Config) *api.AgentServiceRegistration {
	host, digits, _ := net.SplitHostPort(i.HTTPAddr)
	port, _ := strconv.Atoi(digits)
	if ip, err := netip.ParseAddr(host); err == nil && ip.IsUnspecified() {
		host = "" // as the agent's own
	}
	status, _ := i.health()
	return &api.AgentServiceRegistration{
		ID: i.serviceID(), Name: c.Service, Tags: i.tags(c.Tags), Meta: i.meta(), Address: host, Port: port,
		Check: &api.AgentServiceCheck{
			CheckID: checkOf(i.serviceID()), Name: "muster readiness", TTL: c.TTL.String(), Status: status,
			Notes:                          fmt.Sprintf("Whether peer %s of group %s is ready to serve, as it says itself.", i.Name, i.Group),
			DeregisterCriticalServiceAfter: forgotten.String(),
		},
	}
}
