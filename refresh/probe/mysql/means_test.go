package mysql_test

import (
	"testing"

	"github.com/musterhq/muster/fsm"
)

// mariadb is a MariaDB server by itself.
var mariadb = fake{
	variables: named("version", "10.11.19-MariaDB-0+deb12u1-log", "server_id", "7", "read_only", "ON", "wsrep_on", "OFF",
		"gtid_current_pos", "0-7-900,3-8-18"),
	allSlaves: {{"Connection_name", "Master_Host"}},
}

// channel is one row of SHOW REPLICA STATUS.
func channel(name, io, sql, seconds string) []string {
	return []string{name, "10.0.0." + name, "3306", io, sql, seconds}
}

// of is a server that replicates over some channels.
func of(rows ...[]string) fake {
	head := []string{
		"Channel_Name", "Source_Host", "Source_Port", "Replica_IO_Running", "Replica_SQL_Running", "Seconds_Behind_Source",
	}
	return primary.with(fake{sources: append([][]string{head}, rows...)})
}

func TestRolesAndLag(t *testing.T) {
	const first, both = "10.0.0.2:3306", "10.0.0.2:3306,10.0.0.3:3306"
	old := [][]string{
		{"Channel_Name", "Master_Host", "Master_Port", "Slave_IO_Running", "Slave_SQL_Running", "Seconds_Behind_Master"},
		channel("2", "Yes", "Yes", "3"),
	}
	for name, c := range map[string]struct {
		fake            fake
		lag             *int64
		source, io, sql string
	}{
		"replica":         {of(channel("2", "Yes", "Yes", "0")), new(int64), first, "yes", "yes"},
		"behind":          {of(channel("2", "Yes", "Yes", "42")), new(int64(42_000)), first, "yes", "yes"},
		"absurdly behind": {of(channel("2", "Yes", "Yes", "9223372036854775807")), new(int64(9223372036854775000)), first, "yes", "yes"},
		"not applying":    {of(channel("2", "Yes", "No", "-")), nil, first, "yes", "no"},
		"not receiving":   {of(channel("2", "Connecting", "Yes", "5")), nil, first, "connecting", "yes"},
		"stopped":         {of(channel("2", "No", "No", "-")), nil, first, "no", "no"},
		"of two": {
			of(channel("3", "Yes", "Yes", "5"), channel("2", "Yes", "Yes", "9")), new(int64(9000)), both, "yes,yes", "yes,yes",
		},
		"of two, one unknown": {
			of(channel("3", "Yes", "Yes", "5"), channel("2", "No", "Yes", "-")), nil, both, "no,yes", "yes,yes",
		},
		"in the older words": {
			fake{variables: primary[variables], executed: primary[executed], masters: old}, new(int64(3000)), first, "yes", "yes",
		},
	} {
		t.Run(name, func(t *testing.T) {
			want := primaryReport
			want.Shards = []fsm.Shard{{ID: "0", Role: fsm.RoleReplica, Offset: transactions(918), LagMS: c.lag}}
			want.Attributes = map[string]string{"read_only": "off", "source": c.source, "replica_io": c.io, "replica_sql": c.sql}
			expect(t, c.fake, want)
		})
	}
}

func TestVariables(t *testing.T) {
	maria := fsm.Report{
		Reachable: true, State: fsm.StateUp, NodeID: "7", Kind: "mariadb", Version: "10.11.19",
		Shards:     []fsm.Shard{{ID: "0", Role: fsm.RolePrimary, Offset: transactions(918)}},
		Attributes: map[string]string{"read_only": "on"},
	}
	super := primaryReport
	super.Attributes = map[string]string{"read_only": "super"}
	bare := primaryReport
	bare.Shards = []fsm.Shard{{ID: "0", Role: fsm.RolePrimary}}
	for name, c := range map[string]struct {
		fake fake
		want fsm.Report
	}{
		"MySQL":   {primary, primaryReport},
		"MariaDB": {mariadb, maria},
		"super_read_only": {primary.with(fake{
			variables: named("Version", "8.4.2-28", "server_uuid", "u-1", "read_only", "ON", "super_read_only", "ON",
				"gtid_mode", "ON_PERMISSIVE"),
		}), super},
		"without GTIDs":       {primary.with(fake{variables: named("version", "8.4.2", "server_uuid", "u-1", "gtid_mode", "OFF")}), bare},
		"GTIDs that are none": {primary.with(fake{executed: table("executed", "u-1:9-1")}), bare},
		"a reset source":      {of([]string{"", "", "", "No", "No", "-"}), primaryReport},
		"no version": {
			primary.with(fake{variables: named()}),
			fsm.Report{Reason: fsm.ReasonProtocol, Detail: "the server does not say its version"},
		},
	} {
		t.Run(name, func(t *testing.T) { expect(t, c.fake, c.want) })
	}
}

// A status whose columns are not known says nothing of the source, and must not make a primary.
func TestReplicaOfAnotherDialect(t *testing.T) {
	for name, rows := range map[string][][]string{
		"other words":  {{"Leader_Host", "Replica_IO_Running"}, {"10.0.0.2", "Yes"}},
		"no host":      {{"Source_Host", "Replica_IO_Running"}, {"-", "Yes"}},
		"no such case": {{"source_host"}, {"10.0.0.2"}},
	} {
		t.Run(name, func(t *testing.T) {
			expect(t, primary.with(fake{sources: rows}),
				fsm.Report{Reason: fsm.ReasonProtocol, Detail: "a replica's status cannot be read"})
		})
	}
}

// MariaDB may be told to call itself MySQL, and would then name one of its connections alone.
func TestMariaDBUnderAnotherVersion(t *testing.T) {
	asked := named("version", "8.0.36", "server_id", "7", "read_only", "OFF", "gtid_current_pos", "")
	rows := [][]string{{"Connection_name", "Master_Host", "Master_Port", "Slave_IO_Running", "Slave_SQL_Running"}}
	expect(t, mariadb.with(fake{variables: asked, allSlaves: append(rows, []string{"east", "10.0.0.2", "3306", "No", "No"})}),
		fsm.Report{
			Reachable: true, State: fsm.StateUp, NodeID: "7", Kind: "mariadb", Version: "8.0.36",
			Shards:     []fsm.Shard{{ID: "0", Role: fsm.RoleReplica}},
			Attributes: map[string]string{"read_only": "off", "source": "10.0.0.2:3306", "replica_io": "no", "replica_sql": "no"},
		})
}

// A replication group's own channels are listed as if they were sources.
func TestChannelsOfAGroup(t *testing.T) {
	own := []string{"group_replication_applier", "<NULL>", "0", "No", "Yes", "-"}
	asked := named("group_replication_group_name", "g-1", "group_replication_single_primary_mode", "ON")
	asked = append(asked, primary[variables][1:]...)
	member := fake{variables: asked, members: table("MEMBER_STATE", "ONLINE", "MEMBER_ROLE", "PRIMARY")}
	want := primaryReport
	want.ClusterID = "g-1"
	expect(t, of(own).with(member), want)
	want.Shards = []fsm.Shard{{ID: "0", Role: fsm.RolePrimary, Offset: transactions(918), LagMS: new(int64(3000))}}
	want.Attributes = map[string]string{
		"read_only": "off", "source": "10.0.0.2:3306", "replica_io": "yes", "replica_sql": "yes",
	}
	expect(t, of(own, channel("2", "Yes", "Yes", "3")).with(member), want)
	want = primaryReport // it left the group, and is no primary for that
	want.Shards = []fsm.Shard{{ID: "0", Role: fsm.RoleReplica, Offset: transactions(918)}}
	expect(t, of(own), want)
}

func TestGTIDs(t *testing.T) {
	for set, want := range map[string]*fsm.Offset{
		"":                                   transactions(0),
		"u-1:5":                              transactions(1),
		"u-1:1-3:5-6:9":                      transactions(6),
		"u-1:1-3,\nu-2:1-4:blue:1-2:green:7": transactions(10),
		"u-1:1-9223372036854775807,u-2:1-9":  transactions(9223372036854775807),
		"u-1:0-3":                            nil,
		"u-1:1-x":                            nil,
	} {
		r := primaryReport
		r.Shards = []fsm.Shard{{ID: "0", Role: fsm.RolePrimary, Offset: want}}
		expect(t, primary.with(fake{executed: table("executed", set)}), r)
	}
}

func TestGroups(t *testing.T) {
	for name, c := range map[string]struct {
		single              string
		member              [][]string
		state, reason, role string
	}{
		"primary":     {"ON", table("MEMBER_STATE", "ONLINE", "MEMBER_ROLE", "PRIMARY"), fsm.StateUp, "", fsm.RolePrimary},
		"secondary":   {"ON", table("MEMBER_STATE", "ONLINE", "MEMBER_ROLE", "SECONDARY"), fsm.StateUp, "", fsm.RoleReplica},
		"one of many": {"OFF", table("MEMBER_STATE", "ONLINE", "MEMBER_ROLE", "PRIMARY"), fsm.StateUp, "", "online"},
		"older":       {"ON", table("MEMBER_STATE", "ONLINE"), fsm.StateUp, "", "online"},
		"recovering": {
			"ON", table("MEMBER_STATE", "RECOVERING", "MEMBER_ROLE", "SECONDARY"), fsm.StateJoining, "recovering", fsm.RoleRecovering,
		},
		"failed":      {"ON", table("MEMBER_STATE", "ERROR", "MEMBER_ROLE", ""), fsm.StateDown, "error", "error"},
		"in no group": {"ON", [][]string{{"MEMBER_STATE"}}, fsm.StateDown, "offline", "offline"},
	} {
		t.Run(name, func(t *testing.T) {
			want := primaryReport
			want.ClusterID, want.State, want.StateReason = "g-1", c.state, c.reason
			want.Shards = []fsm.Shard{{ID: "0", Role: c.role, Offset: transactions(918)}}
			asked := named("group_replication_group_name", "g-1", "group_replication_single_primary_mode", c.single)
			asked = append(asked, primary[variables][1:]...)
			expect(t, primary.with(fake{variables: asked, members: c.member}), want)
		})
	}
}

func TestGalera(t *testing.T) {
	for name, c := range map[string]struct{ status, comment, state, reason, role string }{
		"synced":   {"Primary", "Synced", fsm.StateUp, "", "synced"},
		"donor":    {"Primary", "Donor/Desynced", fsm.StateUp, "", "donor/desynced"},
		"joining":  {"Primary", "Joining: receiving State Transfer", fsm.StateJoining, "joining", fsm.RoleRecovering},
		"minority": {"non-Primary", "Initialized", fsm.StateDown, "non_primary", "initialized"},
		"no word":  {"Primary", "", fsm.StateDown, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			want := fsm.Report{
				Reachable: true, State: c.state, StateReason: c.reason, NodeID: "7", ClusterID: "c-1",
				Kind: "mariadb", Version: "10.11.19",
				Shards:     []fsm.Shard{{ID: "0", Role: c.role, Offset: &fsm.Offset{Value: 44, Unit: "writesets"}}},
				Attributes: map[string]string{"read_only": "off"},
			}
			expect(t, mariadb.with(fake{
				variables: named("version", "10.11.19-MariaDB", "server_id", "7", "wsrep_on", "ON"),
				status: named("wsrep_local_state_comment", c.comment, "wsrep_cluster_status", c.status,
					"wsrep_cluster_state_uuid", "c-1", "wsrep_last_committed", "44"),
			}), want)
		})
	}
}
