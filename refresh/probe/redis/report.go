package redis

import (
	"math"
	"strconv"
	"strings"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

// parseInfo reads the "name:value" lines of INFO.
func parseInfo(text string) map[string]string {
	info := map[string]string{}
	for line := range strings.Lines(text) {
		name, value, ok := strings.Cut(strings.TrimRight(line, "\r\n"), ":")
		if ok && !strings.HasPrefix(name, "#") {
			info[name] = value
		}
	}
	return info
}

// report is what f says of the node that was asked under this id.
func (f facts) report(node string) (fsm.Report, error) {
	if f.info["redis_version"] == "" {
		return fsm.Report{}, refresh.NewFault(fsm.ReasonProtocol, "INFO holds no redis_version")
	}
	if f.info["role"] == "" && f.info["redis_mode"] != "sentinel" {
		return fsm.Report{}, refresh.NewFault(fsm.ReasonProtocol, "INFO holds no role")
	}
	id, err := f.shardID()
	if err != nil {
		return fsm.Report{}, err
	}
	r := fsm.Report{
		Node: node, Reachable: true, State: fsm.StateUp,
		Kind: "redis", Version: f.info["redis_version"], Attributes: map[string]string{},
	}
	if f.info["loading"] == "1" {
		r.State, r.StateReason = fsm.StateJoining, "loading"
	}
	for _, name := range []string{"redis_mode", "maxmemory", "master_link_status"} {
		if value, ok := f.info[name]; ok {
			r.Attributes[name] = value
		}
	}
	if id != "" {
		r.Shards = []fsm.Shard{f.shard(id)}
	}
	r.Bound()
	return r, nil
}

func (f facts) shard(id string) fsm.Shard {
	s := fsm.Shard{ID: id}
	switch role := f.info["role"]; role {
	case "master":
		s.Role, s.Offset = fsm.RolePrimary, f.offset("master_repl_offset")
	case "slave":
		s.Role, s.Offset, s.LagMS = fsm.RoleReplica, f.offset("slave_repl_offset"), f.lag()
		if f.info["master_sync_in_progress"] == "1" {
			s.Role = fsm.RoleRecovering
		}
	default:
		s.Role = strings.ToLower(role)
	}
	return s
}

func (f facts) offset(name string) *fsm.Offset {
	if n, ok := f.number(name); ok {
		return &fsm.Offset{Value: n, Unit: "bytes"}
	}
	return nil
}

func (f facts) lag() *int64 {
	if f.info["master_link_status"] == "up" {
		return new(int64)
	}
	seconds, ok := f.number("master_link_down_since_seconds")
	if !ok {
		return nil
	}
	lag := min(seconds, math.MaxInt64/1000) * 1000
	return &lag
}

// number is a field that holds one; Redis says -1 where there is none.
func (f facts) number(name string) (int64, bool) {
	n, err := strconv.ParseInt(f.info[name], 10, 63)
	return n, err == nil && n >= 0
}

// shardID is the shard this server holds a copy of; empty when it holds none, as a sentinel or a node without slots.
func (f facts) shardID() (string, error) {
	switch {
	case f.info["role"] == "":
		return "", nil
	case f.info["cluster_enabled"] != "1":
		return "0", nil
	}
	return slots(f.nodes)
}

// slots finds the slots of "myself", or of the primary it follows, in the answer to CLUSTER NODES: lines of id, address,
// flags, primary's id, two times, epoch, link state, and then slots, among them in brackets those on the move.
func slots(nodes string) (string, error) {
	const fixed = 8
	byID, mine := map[string]string{}, ""
	for line := range strings.Lines(nodes) {
		fields := strings.Fields(line)
		if len(fields) < fixed {
			continue
		}
		var held []string
		for _, s := range fields[fixed:] {
			if !strings.HasPrefix(s, "[") {
				held = append(held, s)
			}
		}
		id, flags, primary := fields[0], ","+fields[2]+",", fields[3]
		byID[id] = strings.Join(held, ",")
		if strings.Contains(flags, ",myself,") {
			if mine = id; primary != "-" {
				mine = primary
			}
		}
	}
	if mine == "" {
		return "", refresh.NewFault(fsm.ReasonProtocol, "CLUSTER NODES does not say which of them the server is")
	}
	return byID[mine], nil
}
