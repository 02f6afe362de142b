package rabbitmq

import (
	"net/url"
	"slices"
	"strings"

	"github.com/musterhq/muster/fsm"
)

// report is what f says of the node that was asked under this id.
func (f *facts) report(id string) fsm.Report {
	r := fsm.Report{
		Node: id, Reachable: true, Kind: "rabbitmq", Version: f.overview.Version,
		NodeID: f.overview.Node, ClusterID: f.overview.Cluster,
	}
	r.State, r.StateReason = f.node.state()
	if parted := f.node.Partitions; len(parted) > 0 {
		slices.Sort(parted)
		r.StateDetail = "parted from " + strings.Join(parted, ", ")
	}
	for i := range f.queues {
		if q := &f.queues[i]; q.Type == "quorum" && slices.Contains(q.Members, f.overview.Node) {
			r.Shards = append(r.Shards, q.shard(f.overview.Node))
		}
	}
	r.Bound()
	return r
}

// state is a word and why, or what is wrong beside it.
func (n *node) state() (state, reason string) {
	switch {
	case !*n.Running:
		return fsm.StateDown, "not_running"
	case n.Drained:
		return fsm.StateLeaving, "maintenance"
	}
	var troubles []string
	if len(n.Partitions) > 0 {
		troubles = append(troubles, "network_partition")
	}
	if n.MemoryAlarm {
		troubles = append(troubles, "memory_alarm")
	}
	if n.DiskAlarm {
		troubles = append(troubles, "disk_alarm")
	}
	return fsm.StateUp, strings.Join(troubles, ",")
}

// shard is named as in the API's paths, so that a slash within a virtual host is no slash behind it.
func (q *queue) shard(node string) fsm.Shard {
	role := fsm.RoleReplica
	if q.Leader == node {
		role = fsm.RolePrimary
	}
	return fsm.Shard{ID: url.PathEscape(q.VHost) + "/" + q.Name, Role: role}
}
