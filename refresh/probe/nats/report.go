package nats

import (
	"strings"

	"github.com/musterhq/muster/fsm"
)

// What /healthz says in its status.
const (
	healthy     = "ok"
	notReady    = "error"       // clients cannot connect
	unavailable = "unavailable" // JetStream is not there
)

// report is what f says of the node that was asked under this id.
func (f *facts) report(node string) fsm.Report {
	s := &f.server
	r := fsm.Report{
		Node: node, Reachable: true, State: fsm.StateUp, Kind: "nats", Version: s.Version,
		Attributes: map[string]string{"jetstream": f.jetStream()},
	}
	r.State, r.StateReason = f.state()
	if r.StateReason != "" {
		r.StateDetail = f.health.Error
	}
	if s.Name != s.ID {
		r.NodeID = s.Name
	}
	if !drawn(s.Cluster.Name) {
		r.ClusterID = s.Cluster.Name
	}
	if s.Gateway.Name != "" {
		r.Attributes["gateway"] = s.Gateway.Name
	}
	if meta := s.JetStream.Meta; meta != nil {
		r.Shards = append(r.Shards, fsm.Shard{ID: "_meta_", Role: f.metaRole()})
	}
	for _, account := range f.streams.Accounts {
		for i := range account.Streams {
			r.Shards = append(r.Shards, f.shard(account.Name, &account.Streams[i]))
		}
	}
	r.Bound()
	return r
}

func (f *facts) jetStream() string {
	switch {
	case f.server.JetStream.Meta != nil:
		return "clustered"
	case f.server.JetStream.Config != nil:
		return "single"
	}
	return "off"
}

// state is a word and why.
func (f *facts) state() (state, reason string) {
	meta := f.server.JetStream.Meta
	switch {
	case f.health.Status == notReady && f.server.Clients == 0:
		return fsm.StateJoining, "starting"
	case f.health.Status == notReady:
		return fsm.StateLeaving, "lame_duck"
	case f.health.Status == unavailable:
		return fsm.StateDown, "jetstream_unavailable"
	case f.health.Status != healthy:
		return f.health.Status, "" // a word we do not know becomes the reason of an unknown state
	case meta != nil && meta.Leader == "":
		return fsm.StateJoining, "no_meta_leader"
	}
	return fsm.StateUp, ""
}

func (f *facts) metaRole() string {
	switch {
	case !f.leads(f.server.JetStream.Meta.Leader):
		return fsm.RoleReplica
	case f.server.Gateway.Name != "":
		return "leader"
	}
	return fsm.RolePrimary
}

func (f *facts) leads(leader string) bool { return leader != "" && leader == f.server.Name }

// shard is a stream. One that has no cluster is held by this server alone, where servers have none.
func (f *facts) shard(account string, s *stream) fsm.Shard {
	role := fsm.RoleReplica
	if s.Cluster == nil && f.server.JetStream.Meta == nil || s.Cluster != nil && f.leads(s.Cluster.Leader) {
		role = fsm.RolePrimary
	}
	return fsm.Shard{ID: account + "/" + s.Name, Role: role, Offset: &fsm.Offset{Value: s.State.Last, Unit: "messages"}}
}

// drawn says whether a cluster's name has the form of those that servers draw when none is set.
func drawn(name string) bool {
	const length = 22
	return len(name) == length && strings.IndexFunc(name, func(c rune) bool {
		return (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z')
	}) < 0
}
