package mysql

import (
	"cmp"
	"math"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/musterhq/muster/fsm"
)

func (f facts) report(node string) fsm.Report {
	version, _, _ := strings.Cut(f.variables["version"], "-")
	if version == "" {
		return fsm.Unreachable(node, fsm.ReasonProtocol, "the server does not say its version")
	}
	r := fsm.Report{
		Node: node, Reachable: true, State: fsm.StateUp,
		NodeID: f.variables["server_uuid"], Kind: "mysql", Version: version,
		Shards:     []fsm.Shard{{ID: "0", Role: fsm.RolePrimary, Offset: f.offset()}},
		Attributes: map[string]string{"read_only": f.readOnly()},
	}
	if f.mariadb() {
		r.Kind, r.NodeID = "mariadb", f.variables["server_id"]
	}
	if sources := f.followed(); len(sources) > 0 {
		r.Shards[0].Role = fsm.RoleReplica
	}
	if sources := f.named(); len(sources) > 0 {
		r.Shards[0].LagMS = worstLag(sources)
		r.Attributes["source"] = joined(sources, func(s row) string { return net.JoinHostPort(s["Source_Host"], s["Source_Port"]) })
		r.Attributes["replica_io"] = joined(sources, func(s row) string { return strings.ToLower(s["Replica_IO_Running"]) })
		r.Attributes["replica_sql"] = joined(sources, func(s row) string { return strings.ToLower(s["Replica_SQL_Running"]) })
	}
	switch {
	case f.member != nil:
		f.inGroup(&r)
	case f.galera != nil:
		f.inGalera(&r)
	}
	r.Bound()
	return r
}

func (f facts) readOnly() string {
	if f.variables["super_read_only"] == "ON" {
		return "super"
	}
	return strings.ToLower(cmp.Or(f.variables["read_only"], "off"))
}

// followed are the sources that are configured, whether or not they are followed just now.
func (f facts) followed() []row {
	return slices.DeleteFunc(slices.Clone(f.sources), func(s row) bool { return s["Source_Host"] == "" })
}

// named are the sources that have an address. A replication group's own channels have none, and say so in these words.
func (f facts) named() []row {
	return slices.DeleteFunc(f.followed(), func(s row) bool { return s["Source_Host"] == "<NULL>" })
}

// joined is one value of each source, in the order of the channels' names.
func joined(sources []row, value func(row) string) string {
	slices.SortFunc(sources, func(a, b row) int { return strings.Compare(channel(a), channel(b)) })
	texts := make([]string, len(sources))
	for i, s := range sources {
		texts[i] = value(s)
	}
	return strings.Join(texts, ",")
}

func channel(s row) string { return cmp.Or(s["Channel_Name"], s["Connection_name"]) }

// worstLag is the lag behind the source that is farthest ahead; none when that of any source is not known.
func worstLag(sources []row) *int64 {
	worst := int64(0)
	for _, s := range sources {
		seconds, err := strconv.ParseInt(s["Seconds_Behind_Source"], 10, 64)
		if err != nil || seconds < 0 || s["Replica_IO_Running"] != "Yes" || s["Replica_SQL_Running"] != "Yes" {
			return nil
		}
		worst = max(worst, min(seconds, math.MaxInt64/1000)*1000)
	}
	return &worst
}

// inGroup lays over r what a member of a replication group says of itself.
func (f facts) inGroup(r *fsm.Report) {
	r.ClusterID = f.variables["group_replication_group_name"]
	state, shard := strings.ToLower(f.member["MEMBER_STATE"]), &r.Shards[0]
	switch {
	case state == "recovering":
		r.State, r.StateReason, shard.Role = fsm.StateJoining, state, fsm.RoleRecovering
		return
	case state != "online":
		r.State, r.StateReason, shard.Role = fsm.StateDown, state, state
		return
	}
	switch f.variables["group_replication_single_primary_mode"] + f.member["MEMBER_ROLE"] {
	case "ONPRIMARY":
		shard.Role = fsm.RolePrimary
	case "ONSECONDARY":
		shard.Role = fsm.RoleReplica
	default:
		shard.Role = state
	}
}

// inGalera lays over r what a node of a Galera cluster says of itself. All of them are written to, so none is the primary.
func (f facts) inGalera(r *fsm.Report) {
	const nobody = "00000000-0000-0000-0000-000000000000"
	if id := f.galera["wsrep_cluster_state_uuid"]; id != nobody {
		r.ClusterID = id
	}
	word, _, _ := strings.Cut(strings.ToLower(f.galera["wsrep_local_state_comment"]), ":")
	shard := &r.Shards[0]
	shard.Role, shard.Offset = word, nil
	if n, err := strconv.ParseInt(f.galera["wsrep_last_committed"], 10, 64); err == nil && n >= 0 {
		shard.Offset = &fsm.Offset{Value: n, Unit: "writesets"}
	}
	switch {
	case !strings.EqualFold(f.galera["wsrep_cluster_status"], "Primary"):
		r.State, r.StateReason = fsm.StateDown, "non_primary"
	case strings.HasPrefix(word, "join"):
		r.State, r.StateReason, shard.Role = fsm.StateJoining, word, fsm.RoleRecovering
	case word != "synced" && !strings.HasPrefix(word, "donor"):
		r.State, r.StateReason = fsm.StateDown, word
	}
}
