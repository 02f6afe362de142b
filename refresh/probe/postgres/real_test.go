package postgres_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe/probetest"
)

// want checks what a server reports and gives its one shard.
func want(t *testing.T, p refresh.Prober, s *server, role string) fsm.Shard {
	t.Helper()
	r := p.Probe(t.Context(), s.target)
	if !r.Reachable || r.State != fsm.StateUp || r.Kind != "postgres" || r.NodeID != "" || r.ClusterID == "" {
		t.Fatalf("report is %+v\n%s", r, s.Said())
	}
	if len(r.Shards) != 1 || r.Shards[0].ID != "0" || r.Shards[0].Role != role || r.Shards[0].Offset == nil {
		t.Fatalf("shards are %+v, wanted is the role %s", r.Shards, role)
	}
	if r.Version != s.do(t, "SELECT split_part(current_setting('server_version'), ' ', 1)") {
		t.Errorf("version is %q", r.Version)
	}
	if r.ClusterID != s.do(t, "SELECT system_identifier FROM pg_control_system()") {
		t.Errorf("cluster id is %q", r.ClusterID)
	}
	return r.Shards[0]
}

func lag(t *testing.T, s fsm.Shard) int64 {
	t.Helper()
	if s.LagMS == nil {
		t.Fatalf("%s has no lag", s.Role)
	}
	return *s.LagMS
}

const (
	caughtUp  = "pg_last_wal_replay_lsn() >= '%s'"
	olderThan = "clock_timestamp() - pg_last_xact_replay_timestamp() > interval '1.5 s'"
	position  = "SELECT pg_current_wal_lsn()"
)

func TestPrimaryAndReplica(t *testing.T) {
	probetest.Real(t)
	before := goleak.IgnoreCurrent()
	a := primary(t, "a")
	b := replica(t, a, "b")
	p := start(t, fsm.JSON("{"+kept(t, "password_file", secret)+"}"), loopback())
	monitor := start(t, fsm.JSON(`{"username":"monitor",`+kept(t, "password_file", secret)+"}"), loopback())

	first := want(t, p, a, fsm.RolePrimary)
	a.do(t, "CREATE TABLE orders (text text)", "INSERT INTO orders SELECT repeat('x', 1000) FROM generate_series(1, 100)")
	b.await(t, strings.Replace(caughtUp, "%s", a.do(t, position), 1))
	written := want(t, p, a, fsm.RolePrimary)
	if grown := written.Offset.Value - first.Offset.Value; grown < 100_000 || written.LagMS != nil {
		t.Errorf("the primary's offset grew by %d with 100 kB written, its lag is %v", grown, written.LagMS)
	}

	b.await(t, olderThan) // an idle primary is no lag
	for _, user := range []refresh.Prober{p, monitor} {
		idle := want(t, user, b, fsm.RoleReplica)
		if lag(t, idle) != 0 || idle.Offset.Value < written.Offset.Value {
			t.Errorf("an idle replica's lag is %d at %d, the primary was at %d", *idle.LagMS, idle.Offset.Value, written.Offset.Value)
		}
	}

	b.do(t, "SELECT pg_wal_replay_pause()")
	a.do(t, "INSERT INTO orders VALUES ('y')")
	end := a.do(t, position)
	b.await(t, "pg_last_wal_receive_lsn() >= '"+end+"' AND "+olderThan)
	for _, user := range []refresh.Prober{p, monitor} {
		if paused := want(t, user, b, fsm.RoleReplica); lag(t, paused) < 1500 {
			t.Errorf("a paused replica's lag is %d", *paused.LagMS)
		}
	}
	b.do(t, "SELECT pg_wal_replay_resume()")
	b.await(t, strings.Replace(caughtUp, "%s", end, 1))
	if resumed := want(t, p, b, fsm.RoleReplica); lag(t, resumed) != 0 {
		t.Errorf("the lag after it caught up is %d", *resumed.LagMS)
	}

	failover(t, p, a, b)
	p.Close()
	monitor.Close()
	goleak.VerifyNone(t, before, goleak.IgnoreAnyFunction("github.com/musterhq/muster/refresh/probe/probetest.(*Process).follow"))
}

func TestServersThatDoNotAnswer(t *testing.T) {
	probetest.Real(t)
	a := primary(t, "a")
	p := start(t, fsm.JSON("{"+kept(t, "password_file", secret)+"}"), loopback())
	want(t, p, a, fsm.RolePrimary)
	a.Stop(t, syscall.SIGINT) // the kept connection now holds the server's farewell
	a.Start(t)
	a.Await(t, ready)
	want(t, p, a, fsm.RolePrimary)

	if err := os.WriteFile(filepath.Join(a.data, "standby.signal"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	a.Stop(t, syscall.SIGINT)
	cold := *a
	cold.Process = &probetest.Process{Path: a.Path, Dir: a.Dir, User: owner, Args: append(a.Args, "-c", "hot_standby=off")}
	probetest.Own(t, owner, a.data)
	cold.Start(t)
	cold.Await(t, "entering standby mode")
	if r := p.Probe(t.Context(), a.target); r.Reason != fsm.ReasonStore || !strings.Contains(r.Detail, "57P03") {
		t.Errorf("of a server that lets nobody in: report is %+v", r)
	}
	cold.Kill()

	a.Start(t)
	a.Await(t, standby)
	want(t, p, a, fsm.RoleRecovering) // a standby that has nobody to follow
}

func TestLogins(t *testing.T) {
	probetest.Real(t)
	a := primary(t, "a")
	withTLS := certified(t, a)
	for name, c := range map[string]struct{ config, reason, detail string }{
		"right":             {kept(t, "password_file", secret), "", ""},
		"in md5":            {`"username":"old",` + kept(t, "password_file", secret), "", ""},
		"none":              {``, fsm.ReasonAuth, ""},
		"wrong":             {kept(t, "password_file", "hunter2"), fsm.ReasonAuth, "28P01"},
		"unknown user":      {`"username":"nobody",` + kept(t, "password_file", secret), fsm.ReasonAuth, "28P01"},
		"stranger":          {`"username":"stranger",` + kept(t, "password_file", secret), fsm.ReasonAuth, "28000"},
		"missing file":      {`"password_file":"/does/not/exist"`, fsm.ReasonAuth, "password"},
		"clear without TLS": {`"username":"cleartext",` + kept(t, "password_file", secret), fsm.ReasonAuth, "in the clear"},
		"unknown database":  {`"database":"nowhere",` + kept(t, "password_file", secret), fsm.ReasonProtocol, "3D000"},
		"TLS":               {withTLS + "," + kept(t, "password_file", secret), "", ""},
		"clear with TLS":    {withTLS + `,"username":"cleartext",` + kept(t, "password_file", secret), "", ""},
		"unknown authority": {`"tls":true,` + kept(t, "password_file", secret), fsm.ReasonTLS, "certificate"},
		"another server": {
			withTLS + `,"tls_server_name":"elsewhere",` + kept(t, "password_file", secret), fsm.ReasonTLS, "elsewhere",
		},
		"wrong password, TLS": {withTLS + "," + kept(t, "password_file", "hunter2"), fsm.ReasonAuth, "28P01"},
	} {
		t.Run(name, func(t *testing.T) {
			p := start(t, fsm.JSON("{"+c.config+"}"), loopback())
			for range 2 {
				r := p.Probe(t.Context(), a.target)
				if r.Reason != c.reason || r.Reachable != (c.reason == "") || !strings.Contains(r.Detail, c.detail) {
					t.Errorf("report is %+v, wanted is the reason %q (%s)", r, c.reason, c.detail)
				}
				if strings.Contains(r.Detail, secret) || strings.Contains(r.Detail, "hunter2") {
					t.Errorf("the report holds the password: %s", r.Detail)
				}
			}
		})
	}
	a.do(t, "ALTER SYSTEM SET ssl = off")
	a.Stop(t, syscall.SIGINT)
	a.Start(t)
	a.Await(t, ready)
	p := start(t, fsm.JSON("{"+withTLS+","+kept(t, "password_file", secret)+"}"), loopback())
	if r := p.Probe(t.Context(), a.target); r.Reason != fsm.ReasonTLS || !strings.Contains(r.Detail, "ssl = on") {
		t.Errorf("of a server without TLS: report is %+v", r)
	}
}
