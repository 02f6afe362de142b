package kafka

import (
	"strconv"

	"github.com/musterhq/muster/fsm"
)

// shardController is the shard of the cluster's metadata; whoever is primary of it is the active controller.
const shardController = "controller"

// unattached is Kafka's word for one that knows no leader.
const unattached = "unattached"

// report is what f says of the node that was asked under this id.
func (f facts) report(node string, keep int) fsm.Report {
	r := fsm.Report{
		Node: node, Reachable: true, State: fsm.StateUp,
		NodeID: strconv.Itoa(int(f.id)), ClusterID: f.clusterID, Kind: "kafka", Version: f.version,
		Attributes: map[string]string{
			"out_of_sync":      yes(f.behind),
			"under_replicated": yes(f.short),
			"leaderless":       yes(f.headless),
		},
	}
	rack, takesPart := f.racks[f.id]
	if !takesPart {
		r.State, r.StateReason = fsm.StateDown, "fenced"
		r.StateDetail = "it answers, but does not count itself among the brokers that take part"
	}
	if rack != "" {
		r.Attributes["rack"] = rack
	}
	if f.roles != "" {
		r.Attributes["process_roles"] = f.roles
	}
	if f.listable(keep) {
		r.Shards = f.replicas
	} else {
		r.Attributes["partitions"] = strconv.Itoa(f.held[f.id])
	}
	if role := f.controllerRole(); role != "" {
		r.Shards = append(r.Shards, fsm.Shard{ID: shardController, Role: role})
	}
	r.Bound()
	return r
}

// listable says whether partitions are listed as shards. It is judged over all brokers, so that all of them judge alike:
// a primary that is listed without its replicas, or they without it, would look like a loss.
func (f facts) listable(keep int) bool {
	for _, n := range f.held {
		if n > keep {
			return false
		}
	}
	return true
}

func (f facts) controllerRole() string {
	leader := f.controller
	if f.quorum != nil {
		if !f.quorum.member(f.identity) {
			return ""
		}
		leader = f.quorum.leader
	}
	switch {
	case leader == f.id:
		return fsm.RolePrimary
	case leader < 0:
		return unattached
	}
	return fsm.RoleReplica
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
