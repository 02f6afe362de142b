package mysql_test

import (
	"context"
	"errors"
	"maps"
	"net"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe/mysql"
	"github.com/musterhq/muster/refresh/probe/probetest"
)

const (
	variables = "SHOW GLOBAL VARIABLES"
	executed  = "SELECT @@GLOBAL.gtid_executed"
	sources   = "SHOW REPLICA STATUS"
	masters   = "SHOW SLAVE STATUS"
	allSlaves = "SHOW ALL SLAVES STATUS"
	members   = "SELECT * FROM performance_schema.replication_group_members"
	status    = "SHOW GLOBAL STATUS"
)

var none = [][]string{{"Source_Host"}}

// primary is a MySQL server by itself.
var primary = fake{
	variables: named("version", "8.4.2", "server_uuid", "u-1", "server_id", "1", "read_only", "OFF", "super_read_only", "OFF",
		"gtid_mode", "ON"),
	executed: table("executed", "u-1:1-900:910-927"),
	sources:  none,
}

var primaryReport = fsm.Report{
	Reachable: true, State: fsm.StateUp, NodeID: "u-1", Kind: "mysql", Version: "8.4.2",
	Shards:     []fsm.Shard{{ID: "0", Role: fsm.RolePrimary, Offset: transactions(918)}},
	Attributes: map[string]string{"read_only": "off"},
}

func transactions(n int64) *fsm.Offset { return &fsm.Offset{Value: n, Unit: "transactions"} }

// with is f with some answers replaced.
func (f fake) with(answers fake) fake {
	all := maps.Clone(f)
	maps.Copy(all, answers)
	return all
}

// The suite's servers wait for a request, and a MySQL server speaks first. So here each connection begins with a byte, which
// the suite takes for a request and the fake passes over.
func TestSuite(t *testing.T) {
	probetest.Run(t, probetest.Subject{
		Make: func(env refresh.Env) (refresh.Asker, error) {
			dial := env.Dial
			env.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
				conn, err := dial(ctx, network, address)
				if err == nil {
					_, _ = conn.Write([]byte{0})
				}
				return conn, err
			}
			return mysql.New("", env)
		},
		Serve: func(conn net.Conn) {
			if _, err := conn.Read(make([]byte, 1)); err == nil {
				primary.serve(conn)
			}
		},
		Want: primaryReport,
		Head: hello + packet(2, welcome),
	})
}

// start makes a prober; dial is all it can reach.
func start(t *testing.T, config fsm.JSON, env refresh.Env) refresh.Prober {
	t.Helper()
	return probetest.Start(t, mysql.New, config, env)
}

// piped dials handle, once for each connection.
func piped(t *testing.T, handle func(net.Conn)) refresh.Env {
	t.Helper()
	env := probetest.Piped(t, handle)
	env.Reveal = func(refresh.Secret) (string, error) { return "correct-horse", nil }
	return env
}

var target = refresh.Target{Cluster: "orders", Node: "m1", Address: "m1", Port: 3306}

// A server says why it ends an idle session, and nobody reads that until the next poll.
func TestFarewellInAKeptConnection(t *testing.T) {
	dialed := 0
	p := start(t, "", piped(t, func(conn net.Conn) {
		if dialed++; dialed > 1 {
			primary.serve(conn)
			return
		}
		script(conn, hello, packet(2, welcome), primary.answer(variables), primary.answer(executed), primary.answer(sources),
			packet(0, "\xff\xbf\x0f#HY000The client was disconnected by the server because of inactivity."))
	}))
	for range 2 {
		if r := p.Probe(t.Context(), target); !r.Reachable {
			t.Errorf("report is %+v", r)
		}
	}
	if dialed != 2 {
		t.Errorf("two polls and one farewell took %d connections", dialed)
	}
}

func TestConfigRefused(t *testing.T) {
	reveal := func(refresh.Secret) (string, error) { return "", nil }
	for config, field := range map[fsm.JSON]string{
		`{"password":"hunter2"}`:                    "refresh.config.password",
		`{"password_file":"/a","password_env":"B"}`: "refresh.config.password_env",
		`{"username":""}`:                           "refresh.config.username",
		`{"username":"a\u0000b"}`:                   "refresh.config.username",
		`{"tls_ca_file":"ca.pem"}`:                  "refresh.config.tls_ca_file",
		`{"database":"mysql"}`:                      "refresh.config.database",
	} {
		_, err := mysql.New(config, refresh.Env{Reveal: reveal})
		var invalid *fsm.Error
		if !errors.As(err, &invalid) || invalid.Fields[field] == "" {
			t.Errorf("%s: error is %v, wanted is one on %s", config, err, field)
		}
	}
}

// expect checks the whole report of a fake.
func expect(t *testing.T, f fake, want fsm.Report) {
	t.Helper()
	want.Node = target.Node
	r := start(t, "", piped(t, f.serve)).Probe(t.Context(), target)
	if diff := cmp.Diff(want, r); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
}
