package postgres

import (
	"strconv"
	"strings"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

// question asks for all that is reported, in the order of parse. What was received is asked before what was replayed, so that
// a replica that keeps up never seems behind.
const question = `SELECT pg_is_in_recovery(),
 split_part(current_setting('server_version'), ' ', 1),
 (SELECT system_identifier FROM pg_control_system()),
 (SELECT coalesce(status, 'streaming') FROM pg_stat_wal_receiver LIMIT 1),
 (SELECT latest_end_lsn - '0/0' FROM pg_stat_wal_receiver LIMIT 1),
 pg_last_wal_receive_lsn() - '0/0',
 CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END - '0/0',
 ceil(extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()) * 1000)::bigint`

// aMomentLater is the question once more, after WAL that had just arrived has had the time to be replayed.
const aMomentLater = "SELECT pg_sleep(0.1); " + question

const (
	columns = 8
	fresh   = 1000 // milliseconds since the last replayed transaction that need no second look
	none    = -1   // no number
)

// facts are what a server said. The numbers are none where it said NULL.
type facts struct {
	recovering bool
	version    string
	system     string
	receiver   string // the state of the WAL receiver, empty when there is none
	primary    int64  // bytes: where the primary was when it last wrote to this replica
	received   int64  // bytes: what this replica has on disk
	replayed   int64  // bytes: what queries here see; of a primary, what it has written
	age        int64  // milliseconds since the primary committed what was replayed last
	caughtUp   bool   // what was missing at the first look had been replayed at the second
}

func parse(rows [][][]byte) (facts, error) {
	if len(rows) != 1 || len(rows[0]) != columns {
		return facts{}, refresh.NewFault(fsm.ReasonProtocol, "the server answered with %d rows and not one of %d columns",
			len(rows), columns)
	}
	row := rows[0]
	f := facts{
		recovering: string(row[0]) == "t",
		version:    string(row[1]), system: string(row[2]), receiver: string(row[3]),
		primary: number(row[4]), received: number(row[5]), replayed: number(row[6]), age: number(row[7]),
	}
	if recovering := string(row[0]); f.version == "" || recovering != "t" && recovering != "f" {
		return facts{}, refresh.NewFault(fsm.ReasonProtocol, "the server does not say what it is")
	}
	return f, nil
}

func number(text []byte) int64 {
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		return none
	}
	return max(0, n) // a clock that was set back makes an age negative
}

// sent is the end of all WAL that the primary is known to have.
func (f facts) sent() int64 { return max(f.primary, f.received) }

// behind says whether WAL waits to be replayed.
func (f facts) behind() bool { return f.recovering && f.replayed < f.sent() && !f.caughtUp }

// unclear says that WAL waits and that the last transaction is old: either it has waited that long, or the primary was idle
// until just now. Only a second look tells.
func (f facts) unclear() bool { return f.behind() && f.age > fresh }

func (f facts) report(node string) fsm.Report {
	r := fsm.Report{
		Node: node, Reachable: true, State: fsm.StateUp,
		Kind: "postgres", Version: f.version, ClusterID: f.system,
	}
	s := fsm.Shard{ID: "0", Role: f.role(), LagMS: f.lag()}
	if f.replayed != none {
		s.Offset = &fsm.Offset{Value: f.replayed, Unit: "bytes"}
	}
	r.Shards = []fsm.Shard{s}
	if f.recovering {
		r.Attributes = map[string]string{"wal_receiver": "none"}
		if f.receiver != "" {
			r.Attributes["wal_receiver"] = strings.ToLower(f.receiver)
		}
	}
	r.Bound()
	return r
}

func (f facts) role() string {
	switch {
	case !f.recovering:
		return fsm.RolePrimary
	case f.receiver == "" && f.received == none:
		return fsm.RoleRecovering
	}
	return fsm.RoleReplica
}

func (f facts) lag() *int64 {
	switch {
	case !f.recovering:
	case f.behind() && f.age != none:
		return &f.age
	case !f.behind() && f.receiver == "streaming":
		return new(int64)
	}
	return nil
}
