package mongodb_test

import (
	"encoding/binary"
	"fmt"
	"maps"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe/mongodb"
	"github.com/musterhq/muster/refresh/probe/probetest"
)

const now = 1_760_000_000 // seconds

// hello is the answer of a member that is written to at now.
func hello(more ...bson.E) bson.D {
	return append(bson.D{
		{Key: "topologyVersion", Value: bson.D{{Key: "processId", Value: bson.ObjectID{1}}, {Key: "counter", Value: int64(6)}}},
		{Key: "hosts", Value: bson.A{"mongo-1:27017", "mongo-2:27017"}},
		{Key: "setName", Value: "orders-rs"},
		{Key: "setVersion", Value: 1},
		{Key: "primary", Value: "mongo-2:27017"},
		{Key: "me", Value: "mongo-1:27017"},
		{Key: "lastWrite", Value: bson.D{
			{Key: "opTime", Value: bson.D{{Key: "ts", Value: bson.Timestamp{T: now, I: 3}}, {Key: "t", Value: int64(2)}}},
			{Key: "lastWriteDate", Value: bson.DateTime(now * 1000)},
		}},
		{Key: "maxWireVersion", Value: 21},
	}, more...)
}

func e(name string, value any) bson.E { return bson.E{Key: name, Value: value} }

// status is the answer to replSetGetStatus of the first of two members, whose primary wrote last at a time in milliseconds.
func status(state int, primaryAt int64) bson.D {
	member := func(id, state int, at int64, more ...bson.E) bson.D {
		return append(bson.D{
			e("_id", id), e("name", fmt.Sprintf("mongo-%d:27017", id+1)), e("state", state), e("optimeDate", bson.DateTime(at)),
		}, more...)
	}
	return bson.D{e("set", "orders-rs"), e("myState", state), e("members", bson.A{
		member(0, state, now*1000, e("self", true)), member(1, 1, primaryAt), member(2, 2, primaryAt+9000),
	})}
}

var build = bson.D{e("version", "7.0.15"), e("modules", bson.A{})}

// replica is a member in a state, told by hello and by the status.
func replica(state int, primaryAt int64, more ...bson.E) map[string]any {
	return map[string]any{"hello": hello(more...), "replSetGetStatus": status(state, primaryAt), "buildInfo": build}
}

func offset() *fsm.Offset { return &fsm.Offset{Value: now, Unit: "seconds"} }

func TestSuite(t *testing.T) {
	long := binary.LittleEndian.AppendUint32(nil, 2<<20)
	for _, n := range []uint32{7, 1, 2013} {
		long = binary.LittleEndian.AppendUint32(long, n)
	}
	probetest.Run(t, probetest.Subject{
		Make:  func(env refresh.Env) (refresh.Asker, error) { return mongodb.New("", env) },
		Serve: fake{answers: replica(2, now*1000+2500, e("isWritablePrimary", false), e("secondary", true))}.serve,
		Want: fsm.Report{
			Reachable: true, State: fsm.StateUp, NodeID: "mongo-1:27017", Kind: "mongodb", Version: "7.0.15",
			Shards:     []fsm.Shard{{ID: "orders-rs", Role: fsm.RoleReplica, Offset: offset(), LagMS: new(int64(2500))}},
			Attributes: map[string]string{"process": "mongod"},
		},
		Head: string(long),
	})
}

func TestStates(t *testing.T) {
	for name, c := range map[string]struct {
		state  int
		role   string // "" for no shard
		word   string
		reason string
	}{
		"startup":    {0, fsm.RoleRecovering, fsm.StateJoining, "startup"},
		"primary":    {1, fsm.RolePrimary, fsm.StateUp, ""},
		"secondary":  {2, fsm.RoleReplica, fsm.StateUp, ""},
		"recovering": {3, fsm.RoleRecovering, fsm.StateDown, "recovering"},
		"startup2":   {5, fsm.RoleRecovering, fsm.StateJoining, "startup2"},
		"unknown":    {6, "", fsm.StateUnknown, "state_6"},
		"arbiter":    {7, "arbiter", fsm.StateUp, ""},
		"down":       {8, "", fsm.StateUnknown, "state_8"},
		"rollback":   {9, fsm.RoleRecovering, fsm.StateDown, "rollback"},
		"removed":    {10, "", fsm.StateLeaving, "removed"},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, "", piped(t, "", fake{answers: replica(c.state, now*1000)}.serve)).Probe(t.Context(), target)
			if !r.Reachable || r.State != c.word || r.StateReason != c.reason {
				t.Errorf("state is %q (%q): %+v", r.State, r.StateReason, r)
			}
			role := ""
			for _, s := range r.Shards {
				role += s.Role
			}
			if role != c.role {
				t.Errorf("role is %q, wanted is %q", role, c.role)
			}
		})
	}
}

func TestWhatAnswersMean(t *testing.T) {
	primary := fsm.Shard{ID: "orders-rs", Role: fsm.RolePrimary, Offset: offset()}
	second := func(lag *int64) fsm.Shard {
		return fsm.Shard{ID: "orders-rs", Role: fsm.RoleReplica, Offset: offset(), LagMS: lag}
	}
	without := func(answers map[string]any, command string, r refusal) map[string]any {
		answers = maps.Clone(answers)
		answers[command] = r
		return answers
	}
	denied, none := refusal{13, "Unauthorized"}, fsm.Shard{}
	oldHello := replica(2, now*1000, e("secondary", true))
	oldHello["isMaster"] = hello(e("ismaster", false), e("secondary", true))
	delete(oldHello, "hello")
	alone := replica(2, 0)
	alone["replSetGetStatus"] = bson.D{e("myState", 2), e("members", bson.A{
		bson.D{e("state", 2), e("self", true), e("optimeDate", bson.DateTime(now*1000))},
	})}
	noOptime := replica(5, now*1000, e("lastWrite", bson.D{}))
	noOptime["hello"] = bson.D{e("setName", "orders-rs")}
	noOptime["replSetGetStatus"] = bson.D{e("myState", 5), e("members", bson.A{
		bson.D{e("state", 5), e("self", true), e("optimeDate", bson.DateTime(0))},
		bson.D{e("state", 1), e("optimeDate", bson.DateTime(now*1000))},
		"no document",
	})}
	for name, c := range map[string]struct {
		answers map[string]any
		shard   fsm.Shard
		state   string
		reason  string
		version string
		attrs   string
	}{
		"primary": {replica(1, now*1000, e("isWritablePrimary", true)), primary, fsm.StateUp, "", "7.0.15", "process=mongod"},
		"ahead of what it knows of the primary": {
			replica(2, now*1000-1), second(new(int64)), fsm.StateUp, "", "7.0.15", "process=mongod",
		},
		"delayed": {
			replica(2, now*1000+3_600_700, e("hidden", true), e("secondaryDelaySecs", int64(3600))), second(new(int64(700))),
			fsm.StateUp, "", "7.0.15", "delay_seconds=3600 hidden=true process=mongod",
		},
		"no primary known": {alone, second(nil), fsm.StateUp, "", "7.0.15", "process=mongod"},
		"before hello":     {oldHello, second(new(int64)), fsm.StateUp, "", "7.0.15", "process=mongod"},
		"nothing copied yet": {
			noOptime, fsm.Shard{ID: "orders-rs", Role: fsm.RoleRecovering}, fsm.StateJoining, "startup2", "7.0.15", "process=mongod",
		},
		"config server": {
			replica(1, now*1000, e("configsvr", 2)), primary, fsm.StateUp, "", "7.0.15", "config_server=true process=mongod",
		},
		"no rights, primary": {
			without(replica(1, 0, e("isWritablePrimary", true)), "replSetGetStatus", denied), primary, fsm.StateUp, "", "7.0.15",
			"process=mongod",
		},
		"no rights, secondary": {
			without(replica(2, 0, e("secondary", true)), "replSetGetStatus", denied), second(nil), fsm.StateUp, "", "7.0.15",
			"process=mongod",
		},
		"no rights, arbiter": {
			without(replica(7, 0, e("arbiterOnly", true)), "replSetGetStatus", denied),
			fsm.Shard{ID: "orders-rs", Role: "arbiter"},
			fsm.StateUp, "", "7.0.15", "process=mongod",
		},
		"no rights, neither": {
			without(replica(3, 0, e("secondary", false)), "replSetGetStatus", denied),
			fsm.Shard{ID: "orders-rs", Role: fsm.RoleRecovering, Offset: offset()},
			fsm.StateUnknown,
			"neither_primary_nor_secondary", "7.0.15", "process=mongod",
		},
		"no rights at all": {
			without(without(replica(1, 0, e("isWritablePrimary", true)), "replSetGetStatus", denied), "buildInfo", denied),
			primary, fsm.StateUp, "", "7.0", "process=mongod",
		},
		"not initialised": {
			map[string]any{
				"hello": bson.D{e("isreplicaset", true)}, "buildInfo": build, "replSetGetStatus": refusal{94, "NotYetInitialized"},
			}, none, fsm.StateJoining, "not_initialised", "7.0.15", "process=mongod",
		},
		"removed": {
			map[string]any{
				"hello": bson.D{e("isreplicaset", true)}, "buildInfo": build, "replSetGetStatus": refusal{93, "InvalidReplicaSetConfig"},
			}, none, fsm.StateLeaving, "removed", "7.0.15", "process=mongod",
		},
		"no rights and no configuration": {
			map[string]any{"hello": bson.D{e("isreplicaset", true)}, "buildInfo": build, "replSetGetStatus": denied},
			none, fsm.StateUnknown, "no_configuration", "7.0.15", "process=mongod",
		},
		"alone": {
			map[string]any{"hello": bson.D{e("isWritablePrimary", true)}, "buildInfo": build},
			none, fsm.StateUp, "", "7.0.15",
			"process=mongod",
		},
		"router": {
			map[string]any{"hello": bson.D{e("isWritablePrimary", true), e("msg", "isdbgrid")}, "buildInfo": build},
			none,
			fsm.StateUp, "", "7.0.15", "process=mongos",
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, "", piped(t, "", fake{answers: c.answers}.serve)).Probe(t.Context(), target)
			if !r.Reachable || r.State != c.state || r.StateReason != c.reason || r.Version != c.version {
				t.Errorf("state is %q (%q), version %q: %+v", r.State, r.StateReason, r.Version, r)
			}
			var want []fsm.Shard
			if c.shard != none {
				want = []fsm.Shard{c.shard}
			}
			if diff := cmp.Diff(want, r.Shards); diff != "" {
				t.Errorf("shards (-want +got):\n%s", diff)
			}
			attrs := map[string]string{}
			for pair := range strings.FieldsSeq(c.attrs) {
				name, value, _ := strings.Cut(pair, "=")
				attrs[name] = value
			}
			if diff := cmp.Diff(attrs, r.Attributes); diff != "" {
				t.Errorf("attributes (-want +got):\n%s", diff)
			}
		})
	}
}

// A server that leaves out what it is must neither seem to be alone nor to have lost its shard.
func TestHalfAnAnswer(t *testing.T) {
	raw := func(d bson.D) bson.Raw {
		text, err := bson.Marshal(append(d, e("ok", 1)))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	member := raw(hello(e("isWritablePrimary", true)))
	for name, c := range map[string]struct {
		hello, status any
		detail        string
	}{
		"nothing":          {raw(bson.D{}), status(1, 0), "is no MongoDB server"},
		"a word for it":    {raw(hello(e("isWritablePrimary", "yes"))), status(1, 0), "is no MongoDB server"},
		"no state":         {member, bson.D{e("set", "orders-rs")}, "names no state"},
		"a word for state": {member, bson.D{e("myState", "PRIMARY")}, "names no state"},
		"no replication":   {member, refusal{76, "NoReplicationEnabled"}, "NoReplicationEnabled"},
	} {
		t.Run(name, func(t *testing.T) {
			answers := map[string]any{"hello": c.hello, "replSetGetStatus": c.status, "buildInfo": build}
			r := start(t, "", piped(t, "", fake{answers: answers}.serve)).Probe(t.Context(), target)
			if r.Reason != fsm.ReasonProtocol || !strings.Contains(r.Detail, c.detail) {
				t.Errorf("report is %+v, wanted is %q", r, c.detail)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	for r, reason := range map[refusal]string{
		{13, "Unauthorized"}:             fsm.ReasonAuth,
		{91, "ShutdownInProgress"}:       fsm.ReasonStore,
		{11600, "InterruptedAtShutdown"}: fsm.ReasonStore,
		{59, "CommandNotFound"}:          fsm.ReasonProtocol,
		{8000, "AtlasError"}:             fsm.ReasonProtocol,
	} {
		p := start(t, "", piped(t, "", fake{answers: map[string]any{"hello": r, "buildInfo": build}}.serve))
		got := p.Probe(t.Context(), target)
		if got.Reason != reason || !strings.Contains(got.Detail, r.name) {
			t.Errorf("%s: report is %+v", r.name, got)
		}
	}
}

// Two members change places, each asked over a connection that is kept; they meet under one shard.
func TestFailover(t *testing.T) {
	var states [2]atomic.Int64
	var members [2]refresh.Prober
	for i := range members {
		answers := map[string]any{
			"hello": hello(), "buildInfo": build,
			"replSetGetStatus": func() bson.D { return status(int(states[i].Load()), now*1000) },
		}
		members[i] = start(t, "", piped(t, "", fake{answers: answers}.serve))
	}
	for _, moment := range []struct {
		states [2]int64
		roles  [2]string
	}{
		{[2]int64{1, 2}, [2]string{fsm.RolePrimary, fsm.RoleReplica}},
		{[2]int64{9, 1}, [2]string{fsm.RoleRecovering, fsm.RolePrimary}},
		{[2]int64{2, 1}, [2]string{fsm.RoleReplica, fsm.RolePrimary}},
	} {
		for i, p := range members {
			states[i].Store(moment.states[i])
			r := p.Probe(t.Context(), target)
			if len(r.Shards) != 1 || r.Shards[0].ID != "orders-rs" || r.Shards[0].Role != moment.roles[i] {
				t.Errorf("states %v: member %d says %+v", moment.states, i, r)
			}
		}
	}
}
