package mongodb

import (
	"math"
	"strconv"
	"strings"

	"github.com/musterhq/muster/fsm"
)

// roleArbiter votes and holds nothing.
const roleArbiter = "arbiter"

// replicated says whether the server was started as a member of a replica set, configured or not.
func (f facts) replicated() bool {
	return text(f.hello, "setName") != "" || is(f.hello, "isreplicaset")
}

// whole says whether hello was answered as servers answer it, in whatever state they are.
func (f facts) whole() bool {
	for _, name := range []string{"isWritablePrimary", "ismaster"} {
		if _, ok := f.hello.Lookup(name).BooleanOK(); ok {
			return true
		}
	}
	return false
}

// report is what f says of the node that was asked under this id.
func (f facts) report(node string) fsm.Report {
	r := fsm.Report{
		Node: node, Reachable: true, State: fsm.StateUp,
		NodeID: text(f.hello, "me"), Kind: "mongodb", Version: f.version, Attributes: map[string]string{"process": "mongod"},
	}
	if r.Version == "" {
		r.Version = f.release()
	}
	if text(f.hello, "msg") == "isdbgrid" {
		r.Attributes["process"] = "mongos"
	}
	if _, ok := f.number("configsvr"); ok {
		r.Attributes["config_server"] = "true"
	}
	if is(f.hello, "hidden") {
		r.Attributes["hidden"] = "true"
	}
	if delay := f.delay(); delay > 0 {
		r.Attributes["delay_seconds"] = strconv.FormatInt(delay, 10)
	}
	if f.replicated() {
		f.member(&r)
	}
	r.Bound()
	return r
}

// member says what the server is in its replica set.
func (f facts) member(r *fsm.Report) {
	role := ""
	switch f.refusal {
	case 0:
		state, _ := f.status.Lookup("myState").AsInt64OK()
		role, r.State, r.StateReason = judge(state)
	case codeNotInitialised:
		r.State, r.StateReason = fsm.StateJoining, "not_initialised"
	case codeInvalidConfig:
		r.State, r.StateReason = fsm.StateLeaving, "removed"
	case codeUnauthorized, codeCommandNotFound, codeAtlas:
		role, r.State, r.StateReason = f.judgeHello()
		r.StateDetail = "the user may not run replSetGetStatus, so lag is not known: " +
			`db.getSiblingDB("admin").grantRolesToUser("NAME", ["clusterMonitor"])`
	}
	id := text(f.hello, "setName")
	if id == "" {
		id = text(f.status, "set")
	}
	if role == "" || id == "" {
		return
	}
	s := fsm.Shard{ID: id, Role: role}
	if role != roleArbiter {
		s.Offset = f.offset()
	}
	if role == fsm.RoleReplica || role == fsm.RoleRecovering {
		s.LagMS = f.lag()
	}
	r.Shards = []fsm.Shard{s}
}

// judge reads a member's state, in MongoDB's numbers.
func judge(state int64) (role, word, reason string) {
	switch state {
	case 0:
		return fsm.RoleRecovering, fsm.StateJoining, "startup"
	case 1:
		return fsm.RolePrimary, fsm.StateUp, ""
	case 2:
		return fsm.RoleReplica, fsm.StateUp, ""
	case 3:
		return fsm.RoleRecovering, fsm.StateDown, "recovering"
	case 5:
		return fsm.RoleRecovering, fsm.StateJoining, "startup2"
	case 7:
		return roleArbiter, fsm.StateUp, ""
	case 9:
		return fsm.RoleRecovering, fsm.StateDown, "rollback"
	case 10:
		return "", fsm.StateLeaving, "removed"
	}
	return "", fsm.StateUnknown, "state_" + strconv.FormatInt(state, 10)
}

// judgeHello reads what hello tells alone: all that serve, and of the others only that they do not.
func (f facts) judgeHello() (role, word, reason string) {
	switch {
	case text(f.hello, "setName") == "":
		return "", fsm.StateUnknown, "no_configuration"
	case is(f.hello, "isWritablePrimary"), is(f.hello, "ismaster"):
		return fsm.RolePrimary, fsm.StateUp, ""
	case is(f.hello, "secondary"):
		return fsm.RoleReplica, fsm.StateUp, ""
	case is(f.hello, "arbiterOnly"):
		return roleArbiter, fsm.StateUp, ""
	}
	return fsm.RoleRecovering, fsm.StateUnknown, "neither_primary_nor_secondary"
}

// number is a field of hello that holds one.
func (f facts) number(name string) (int64, bool) { return f.hello.Lookup(name).AsInt64OK() }

// delay is by how many seconds the member is told to stay behind.
func (f facts) delay() int64 {
	seconds, ok := f.number("secondaryDelaySecs")
	if !ok {
		seconds, _ = f.number("slaveDelay") // before 5.0
	}
	return min(max(seconds, 0), math.MaxInt64/1000)
}

func (f facts) offset() *fsm.Offset {
	seconds, _, ok := part(part(f.hello, "lastWrite"), "opTime").Lookup("ts").TimestampOK()
	if !ok || seconds == 0 {
		return nil
	}
	return &fsm.Offset{Value: int64(seconds), Unit: "seconds"}
}

// lag is how much older the last write here is than the primary's, as this member knows of it; beyond the delay it is told
// to keep.
func (f facts) lag() *int64 {
	members, ok := f.status.Lookup("members").ArrayOK()
	if !ok {
		return nil
	}
	values, err := members.Values()
	if err != nil {
		return nil
	}
	var mine, primary int64
	for _, v := range values {
		m, ok := v.DocumentOK()
		if !ok {
			continue
		}
		at, _ := m.Lookup("optimeDate").DateTimeOK()
		if is(m, "self") {
			mine = at
		}
		if state, _ := m.Lookup("state").AsInt64OK(); state == 1 {
			primary = max(primary, at)
		}
	}
	if mine <= 0 || primary <= 0 {
		return nil
	}
	lag := max(primary-mine-1000*f.delay(), 0)
	return &lag
}

// release is the release that a server's version of the protocol came with, for those who may not ask for the version.
func (f facts) release() string {
	wire, _ := f.number("maxWireVersion")
	releases := strings.Fields("3.6 4.0 4.2 4.4 . . . 5.0 5.1 5.2 5.3 6.0 6.1 6.2 6.3 7.0 7.1 7.2 7.3 8.0 8.1 8.2")
	const first = 6
	if wire < first || wire >= int64(first+len(releases)) || releases[wire-first] == "." {
		return ""
	}
	return releases[wire-first]
}
