package mysql_test

import (
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe/probetest"
)

// want checks what a server reports and gives its one shard.
func want(t *testing.T, p refresh.Prober, s *server, role string) fsm.Shard {
	t.Helper()
	r := p.Probe(t.Context(), s.target)
	if !r.Reachable || r.State != fsm.StateUp || r.Kind != "mariadb" || r.NodeID != s.do(t, "SELECT @@server_id") {
		t.Fatalf("report is %+v\n%s", r, s.Said())
	}
	if len(r.Shards) != 1 || r.Shards[0].ID != "0" || r.Shards[0].Role != role || r.Shards[0].Offset == nil {
		t.Fatalf("shards are %+v, wanted is the role %s", r.Shards, role)
	}
	if version, _, _ := strings.Cut(s.do(t, "SELECT VERSION()"), "-"); r.Version != version {
		t.Errorf("version is %q, wanted is %q", r.Version, version)
	}
	return r.Shards[0]
}

func TestPrimaryAndReplica(t *testing.T) {
	probetest.Real(t)
	a, b := run(t, 1), run(t, 2)
	a.users(t)
	b.do(t, "SET GLOBAL read_only = ON")
	b.follow(t, a)
	p := start(t, fsm.JSON("{"+kept(t, "password_file", secret)+"}"), loopback())

	first := want(t, p, a, fsm.RolePrimary)
	a.do(t, "CREATE DATABASE orders", "CREATE TABLE orders.orders (n INT)", "INSERT INTO orders.orders VALUES (1)")
	b.catchUp(t, a)
	written, applied := want(t, p, a, fsm.RolePrimary), want(t, p, b, fsm.RoleReplica)
	if written.Offset.Value != first.Offset.Value+3 || *applied.Offset != *written.Offset || written.LagMS != nil {
		t.Errorf("after 3 transactions the primary went from %+v to %+v, the replica is at %+v",
			first.Offset, written.Offset, applied.Offset)
	}
	if applied.LagMS == nil || *applied.LagMS != 0 {
		t.Errorf("the lag of a replica that caught up is %v", applied.LagMS)
	}

	b.do(t, "STOP SLAVE", "CHANGE MASTER TO MASTER_DELAY=3600", "START SLAVE")
	a.do(t, "INSERT INTO orders.orders VALUES (2)", "DO SLEEP(1)")
	b.do(t, `BEGIN NOT ATOMIC
		WHILE NOT EXISTS (SELECT * FROM information_schema.processlist
			WHERE state LIKE 'Waiting until MASTER_DELAY%' AND time > 0) DO
			DO SLEEP(0.05);
		END WHILE;
	END`)
	if late := want(t, p, b, fsm.RoleReplica); late.LagMS == nil || *late.LagMS < 1000 || late.Offset.Value != applied.Offset.Value {
		t.Errorf("a replica that waits is %+v", late)
	}
	b.do(t, "STOP SLAVE SQL_THREAD")
	r := p.Probe(t.Context(), b.target)
	if r.Shards[0].Role != fsm.RoleReplica || r.Shards[0].LagMS != nil || r.Attributes["replica_sql"] != "no" ||
		r.Attributes["replica_io"] != "yes" || r.Attributes["read_only"] != "on" ||
		r.Attributes["source"] != "127.0.0.1:"+strconv.Itoa(a.target.Port) {
		t.Errorf("of a replica that does not apply: report is %+v", r)
	}
	b.do(t, "STOP SLAVE")
	if stopped := want(t, p, b, fsm.RoleReplica); stopped.LagMS != nil {
		t.Errorf("a stopped replica's lag is %d", *stopped.LagMS)
	}
	b.do(t, "CHANGE MASTER TO MASTER_DELAY=0", "START SLAVE")
	b.catchUp(t, a)

	failover(t, p, a, b)
}

func TestLogins(t *testing.T) {
	probetest.Real(t)
	authority, certificate, key := certificate(t)
	a := run(t, 1, "--plugin-load-add=auth_ed25519", "--ssl-cert="+certificate, "--ssl-key="+key)
	a.users(t)
	a.do(t, "CREATE USER signer@'%' IDENTIFIED VIA ed25519 USING PASSWORD('"+secret+"')",
		"GRANT REPLICA MONITOR ON *.* TO signer@'%'")
	password := kept(t, "password_file", secret)
	withTLS := `"tls":true,` + kept(t, "tls_ca_file", authority) + ","
	for name, c := range map[string]struct{ config, reason, detail string }{
		"right":               {password, "", ""},
		"by ed25519":          {`"username":"signer",` + password, "", ""},
		"without a right":     {`"username":"nothing",` + password, fsm.ReasonAuth, "REPLICA MONITOR"},
		"none":                {``, fsm.ReasonAuth, "(1045)"},
		"wrong":               {kept(t, "password_file", "hunter2"), fsm.ReasonAuth, "(1045)"},
		"wrong by ed25519":    {`"username":"signer",` + kept(t, "password_file", "hunter2"), fsm.ReasonAuth, "(1045)"},
		"unknown user":        {`"username":"nobody",` + password, fsm.ReasonAuth, "(1045)"},
		"missing file":        {`"password_file":"/does/not/exist"`, fsm.ReasonAuth, "password"},
		"TLS":                 {withTLS + password, "", ""},
		"TLS and ed25519":     {withTLS + `"username":"signer",` + password, "", ""},
		"unknown authority":   {`"tls":true,` + password, fsm.ReasonTLS, "certificate"},
		"another server":      {withTLS + `"tls_server_name":"elsewhere",` + password, fsm.ReasonTLS, "elsewhere"},
		"wrong password, TLS": {withTLS + kept(t, "password_file", "hunter2"), fsm.ReasonAuth, "(1045)"},
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

	p := start(t, fsm.JSON("{"+withTLS+password+"}"), loopback())
	want(t, p, a, fsm.RolePrimary)
	a.Stop(t, syscall.SIGTERM) // the kept connection may now hold the server's farewell
	a.start(t)
	want(t, p, a, fsm.RolePrimary)
	a.Stop(t, syscall.SIGTERM)
	a.Args = append(a.Args, "--skip-ssl")
	a.start(t)
	if r := p.Probe(t.Context(), a.target); r.Reason != fsm.ReasonTLS || !strings.Contains(r.Detail, "TLS off") {
		t.Errorf("of a server without TLS: report is %+v", r)
	}
}
