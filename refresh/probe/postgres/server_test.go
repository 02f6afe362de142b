package postgres_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/poll"
	"github.com/musterhq/muster/refresh/probe/probetest"
)

const (
	owner   = "postgres"
	ready   = "database system is ready to accept connections"
	standby = "database system is ready to accept read-only connections"
	streams = "started streaming WAL from primary"
	secret  = "correct-horse"
)

// hba lets the superuser in as he is; the others log in as their names say.
const hba = `host replication postgres 127.0.0.1/32 trust
host all postgres 127.0.0.1/32 trust
host all cleartext 127.0.0.1/32 password
host all old 127.0.0.1/32 md5
host all stranger 127.0.0.1/32 reject
host all all 127.0.0.1/32 scram-sha-256
`

// server is a real PostgreSQL server on a loopback port, with all it keeps in a folder of the test.
type server struct {
	*probetest.Process
	target refresh.Target
	data   string
}

func program(t *testing.T, name string) string {
	t.Helper()
	bin := filepath.Dir(probetest.Program(t, "MUSTER_POSTGRES", "/usr/lib/postgresql/*/bin/postgres", "postgres"))
	return filepath.Join(bin, name)
}

// prepare makes a server with more options, without data and not started.
func prepare(t *testing.T, node string, options ...string) *server {
	t.Helper()
	home := t.TempDir()
	port := probetest.FreePort(t)
	s := &server{
		target: refresh.Target{Cluster: "orders", Node: node, Address: "127.0.0.1", Port: port},
		data:   filepath.Join(home, "data"),
	}
	rules := filepath.Join(home, "pg_hba.conf")
	if err := os.WriteFile(rules, []byte(hba), 0o600); err != nil {
		t.Fatal(err)
	}
	s.Process = &probetest.Process{Path: program(t, "postgres"), Dir: home, User: owner, Args: []string{"-D", s.data}}
	for _, option := range append([]string{
		"listen_addresses=127.0.0.1", "port=" + strconv.Itoa(port), "unix_socket_directories=", "hba_file=" + rules,
		"fsync=off", "shared_buffers=8MB", "max_wal_senders=4", "wal_retrieve_retry_interval=100ms", "autovacuum=off",
	}, options...) {
		s.Args = append(s.Args, "-c", option)
	}
	probetest.Own(t, owner, filepath.Dir(home))
	return s
}

// primary runs a new server with roles of which none has any right beyond PUBLIC's.
func primary(t *testing.T, node string, options ...string) *server {
	t.Helper()
	s := prepare(t, node, options...)
	made := &probetest.Process{
		Path: program(t, "initdb"), Dir: s.Dir, User: owner,
		Args: []string{"-D", s.data, "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C"},
	}
	made.Start(t)
	made.Await(t, "Success.")
	s.Start(t)
	s.Await(t, ready)
	for _, role := range []string{"muster", "cleartext", "stranger", "old", "monitor"} {
		encryption := "scram-sha-256"
		if role == "old" {
			encryption = "md5"
		}
		s.do(t, "SET password_encryption = '"+encryption+"'", "CREATE ROLE "+role+" LOGIN PASSWORD '"+secret+"'")
	}
	s.do(t, "GRANT pg_monitor TO monitor")
	return s
}

// replica runs a copy of a server that follows it.
func replica(t *testing.T, of *server, node string, options ...string) *server {
	t.Helper()
	s := prepare(t, node, options...)
	copied := &probetest.Process{
		Path: program(t, "pg_basebackup"), Dir: s.Dir, User: owner,
		Args: []string{
			"-h", of.target.Address, "-p", strconv.Itoa(of.target.Port), "-U", "postgres",
			"-D", s.data, "-R", "-X", "stream", "-c", "fast", "--no-sync", "-v",
		},
	}
	copied.Start(t)
	copied.Await(t, "base backup completed")
	s.Start(t)
	s.Await(t, standby)
	s.Await(t, streams)
	return s
}

// follow makes a stopped server a replica of another, and starts it.
func (s *server) follow(t *testing.T, of *server) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(s.data, "standby.signal"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	probetest.Own(t, owner, s.data)
	s.Args = append(s.Args, "-c", fmt.Sprintf("primary_conninfo=host=%s port=%d user=postgres", of.target.Address, of.target.Port))
	s.Start(t)
	s.Await(t, standby)
	s.Await(t, streams)
}

// do runs statements as the superuser and gives the first value of the last.
func (s *server) do(t *testing.T, statements ...string) string {
	t.Helper()
	conn, err := pgconn.Connect(t.Context(), fmt.Sprintf("host=%s port=%d user=postgres dbname=postgres sslmode=disable",
		s.target.Address, s.target.Port))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	value := ""
	for _, sql := range statements {
		results, err := conn.Exec(t.Context(), sql).ReadAll()
		if err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		if rows := results[len(results)-1].Rows; len(rows) > 0 && len(rows[0]) > 0 {
			value = string(rows[0][0])
		}
	}
	return value
}

// await waits, inside the server, until a condition holds.
func (s *server) await(t *testing.T, condition string) {
	t.Helper()
	s.do(t, fmt.Sprintf(`DO $$ BEGIN
		FOR i IN 1..1200 LOOP
			IF %s THEN RETURN; END IF;
			PERFORM pg_sleep(0.05);
		END LOOP;
		RAISE EXCEPTION 'it never came to this';
	END $$`, condition))
}

func loopback() refresh.Env {
	return refresh.Env{
		Dial: poll.NewDialer(poll.Rules{AllowLoopback: true}).Dial,
		Reveal: func(s refresh.Secret) (string, error) {
			text, err := os.ReadFile(s.File)
			return strings.TrimSpace(string(text)), err
		},
	}
}

// kept writes a secret to a file and gives the key and value that name it.
func kept(t *testing.T, key, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), key)
	if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%q:%q", key, path)
}
