package postgres_test

import (
	"errors"
	"net"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe/postgres"
	"github.com/musterhq/muster/refresh/probe/probetest"
)

var (
	primaryRow = []string{"f", "15.18", "7231", "-", "-", "-", "918", "-"}
	replicaRow = []string{"t", "15.18", "7231", "streaming", "917", "917", "917", "10800000"}
)

var primaryReport = fsm.Report{
	Reachable: true, State: fsm.StateUp, Kind: "postgres", Version: "15.18", ClusterID: "7231",
	Shards: []fsm.Shard{{ID: "0", Role: fsm.RolePrimary, Offset: bytes(918)}},
}

func bytes(n int64) *fsm.Offset { return &fsm.Offset{Value: n, Unit: "bytes"} }

func TestSuite(t *testing.T) {
	probetest.Run(t, probetest.Subject{
		Make:  func(env refresh.Env) (refresh.Asker, error) { return postgres.New("", env) },
		Serve: fake{rows: [][]string{primaryRow}}.serve,
		Want:  primaryReport,
		Head:  "R\x00\x00\x00\x08\x00\x00\x00\x00",
	})
}

// start makes a prober; dial is all it can reach.
func start(t *testing.T, config fsm.JSON, env refresh.Env) refresh.Prober {
	t.Helper()
	return probetest.Start(t, postgres.New, config, env)
}

// piped dials handle, once for each connection.
func piped(t *testing.T, handle func(net.Conn)) refresh.Env {
	t.Helper()
	return probetest.Piped(t, handle)
}

var target = refresh.Target{Cluster: "orders", Node: "p1", Address: "p1", Port: 5432}

func TestWhatTheAnswerMeans(t *testing.T) {
	with := func(column int, value string) []string {
		row := append([]string(nil), replicaRow...)
		row[column] = value
		return row
	}
	const (
		receiver, primary, received, replayed, age = 3, 4, 5, 6, 7
		hours                                      = int64(10_800_000)
	)
	gone := with(receiver, "-")
	gone[primary] = "-"
	for name, c := range map[string]struct {
		rows     [][]string
		shard    fsm.Shard
		receiver string
	}{
		"a primary that was a replica": {[][]string{{"f", "15.18", "7231", "-", "-", "900", "918", "5"}}, primaryReport.Shards[0], ""},
		"an idle replica": {
			[][]string{replicaRow},
			fsm.Shard{Role: fsm.RoleReplica, Offset: bytes(917), LagMS: new(int64)},
			"streaming",
		},
		"less rights": {
			[][]string{with(primary, "-")},
			fsm.Shard{Role: fsm.RoleReplica, Offset: bytes(917), LagMS: new(int64)},
			"streaming",
		},
		"behind by what it has": {
			[][]string{with(replayed, "800")},
			fsm.Shard{Role: fsm.RoleReplica, Offset: bytes(800), LagMS: new(hours)},
			"streaming",
		},
		"behind by what the primary has": {
			[][]string{with(primary, "1000")},
			fsm.Shard{Role: fsm.RoleReplica, Offset: bytes(917), LagMS: new(hours)},
			"streaming",
		},
		"a little behind": {
			[][]string{{"t", "15.18", "7231", "streaming", "917", "917", "800", "20"}, primaryRow},
			fsm.Shard{Role: fsm.RoleReplica, Offset: bytes(800), LagMS: new(int64(20))},
			"streaming",
		},
		"the first write after hours, replayed at the second look": {
			[][]string{with(primary, "1000"), {"t", "15.18", "7231", "streaming", "1200", "1200", "1000", "3"}},
			fsm.Shard{Role: fsm.RoleReplica, Offset: bytes(1000), LagMS: new(int64)},
			"streaming",
		},
		"no transaction replayed yet": {
			[][]string{{"t", "15.18", "7231", "streaming", "917", "917", "800", "-"}},
			fsm.Shard{Role: fsm.RoleReplica, Offset: bytes(800)},
			"streaming",
		},
		"a clock set back": {
			[][]string{{"t", "15.18", "7231", "streaming", "917", "917", "800", "-7"}},
			fsm.Shard{Role: fsm.RoleReplica, Offset: bytes(800), LagMS: new(int64)},
			"streaming",
		},
		"the primary is gone": {[][]string{gone}, fsm.Shard{Role: fsm.RoleReplica, Offset: bytes(917)}, "none"},
		"waits for the primary's next timeline": {
			[][]string{with(receiver, "waiting")},
			fsm.Shard{Role: fsm.RoleReplica, Offset: bytes(917)},
			"waiting",
		},
		"never streamed": {
			[][]string{{"t", "15.18", "7231", "-", "-", "-", "917", "-"}},
			fsm.Shard{Role: fsm.RoleRecovering, Offset: bytes(917)},
			"none",
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, "", piped(t, fake{rows: c.rows}.serve)).Probe(t.Context(), target)
			c.shard.ID = "0"
			want := primaryReport
			want.Node, want.Shards = target.Node, []fsm.Shard{c.shard}
			if c.receiver != "" {
				want.Attributes = map[string]string{"wal_receiver": c.receiver}
			}
			if diff := cmp.Diff(want, r); diff != "" {
				t.Errorf("report (-want +got):\n%s", diff)
			}
		})
	}
}

// Only a server that says "f" is a primary: another word is none of PostgreSQL's.
func TestHalfAnAnswer(t *testing.T) {
	for _, recovering := range []string{"-", "", "1", "0", "x", "T", "true", "false"} {
		row := append([]string{recovering}, primaryRow[1:]...)
		r := start(t, "", piped(t, fake{rows: [][]string{row}}.serve)).Probe(t.Context(), target)
		if r.Reason != fsm.ReasonProtocol || len(r.Shards) != 0 {
			t.Errorf("%q: report is %+v", recovering, r)
		}
	}
}

func TestConfigRefused(t *testing.T) {
	reveal := func(refresh.Secret) (string, error) { return "", nil }
	for config, field := range map[fsm.JSON]string{
		`{"password":"hunter2"}`:                    "refresh.config.password",
		`{"password_file":"/a","password_env":"B"}`: "refresh.config.password_env",
		`{"database":""}`:                           "refresh.config.database",
		`{"username":"a\u0000b"}`:                   "refresh.config.username",
		`{"tls_ca_file":"ca.pem"}`:                  "refresh.config.tls_ca_file",
		`{"sslmode":"disable"}`:                     "refresh.config.sslmode",
	} {
		_, err := postgres.New(config, refresh.Env{Reveal: reveal})
		var invalid *fsm.Error
		if !errors.As(err, &invalid) || invalid.Fields[field] == "" {
			t.Errorf("%s: error is %v, wanted is one on %s", config, err, field)
		}
	}
}

// None of what libpq takes from the environment may change where muster goes or as whom.
func TestEnvironmentIsNotObeyed(t *testing.T) {
	for name, value := range map[string]string{
		"PGHOST": "elsewhere", "PGUSER": "other", "PGPASSWORD": "other", "PGDATABASE": "other", "PGSSLMODE": "require",
		"PGOPTIONS": "-c work_mem=1", "PGAPPNAME": "other", "PGTARGETSESSIONATTRS": "read-write", "PGREQUIREAUTH": "gss",
	} {
		t.Setenv(name, value)
	}
	var got map[string]string
	p := start(t, "", piped(t, func(conn net.Conn) {
		message, err := pgproto3.NewBackend(conn, conn).ReceiveStartupMessage()
		if startup, ok := message.(*pgproto3.StartupMessage); err == nil && ok {
			got = startup.Parameters
		}
	}))
	p.Probe(t.Context(), target)
	want := map[string]string{
		"user": "muster", "database": "postgres", "application_name": "muster", "client_encoding": "UTF8",
		"default_transaction_read_only": "on", "search_path": "pg_catalog", "statement_timeout": "5000",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("startup parameters (-want +got):\n%s", diff)
	}
}
