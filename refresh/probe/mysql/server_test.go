package mysql_test

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	driver "github.com/go-sql-driver/mysql"

	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/poll"
	"github.com/musterhq/muster/refresh/probe/probetest"
)

const (
	owner  = "mysql"
	ready  = "ready for connections"
	secret = "correct-horse"
)

// server is a real MariaDB server on a loopback port, with all it keeps in a folder of the test.
type server struct {
	*probetest.Process
	target refresh.Target
	home   string
	admin  *sql.DB
}

// run runs a new server with a number and more options.
func run(t *testing.T, number int, options ...string) *server {
	t.Helper()
	path := probetest.Program(t, "MUSTER_MARIADB", "mariadbd", "/usr/sbin/mariadbd")
	home, port := t.TempDir(), probetest.FreePort(t)
	node := "m" + strconv.Itoa(number)
	s := &server{target: refresh.Target{Cluster: "orders", Node: node, Address: "127.0.0.1", Port: port}, home: home}
	data := filepath.Join(home, "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	probetest.Own(t, owner, filepath.Dir(home))
	made := &probetest.Process{
		Path: probetest.Program(t, "MUSTER_MARIADB_INSTALL", "mariadb-install-db"),
		Args: []string{
			"--no-defaults", "--datadir=" + data, "--auth-root-authentication-method=normal", "--skip-test-db",
			"--skip-name-resolve", "--innodb-log-file-size=4M",
		},
		Dir: home, User: owner,
	}
	made.Start(t)
	made.Await(t, "mariadb.org/get-involved")
	s.Process = &probetest.Process{Path: path, Dir: home, User: owner, Args: append([]string{
		"--no-defaults", "--datadir=" + data, "--bind-address=127.0.0.1", "--port=" + strconv.Itoa(port),
		"--socket=" + filepath.Join(home, "s"), "--pid-file=" + filepath.Join(home, "pid"), "--skip-name-resolve",
		"--innodb-buffer-pool-size=8M", "--innodb-log-file-size=4M", "--innodb-flush-log-at-trx-commit=0",
		"--log-bin=" + filepath.Join(home, "binlog"), "--server-id=" + strconv.Itoa(number), "--slave-net-timeout=2",
	}, options...)}
	var err error
	// root is a user of the socket's, wherever the test runs.
	if s.admin, err = sql.Open("mysql", "root@unix("+filepath.Join(home, "s")+")/"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.admin.Close() })
	s.start(t)
	return s
}

var silence = driver.SetLogger(&driver.NopLogger{})

func (s *server) start(t *testing.T) {
	t.Helper()
	if silence != nil {
		t.Fatal(silence)
	}
	s.Start(t)
	s.Await(t, ready)
}

// do runs statements as the administrator and gives the first value of the last, if it gives any.
func (s *server) do(t *testing.T, statements ...string) string {
	t.Helper()
	value := ""
	for _, statement := range statements {
		rows, err := s.admin.QueryContext(t.Context(), statement)
		if err != nil {
			t.Fatalf("%s: %v\n%s", statement, err, s.Said())
		}
		if columns, _ := rows.Columns(); rows.Next() {
			into := make([]any, len(columns))
			for i := range into {
				into[i] = new(sql.NullString)
			}
			if err := rows.Scan(into...); err != nil {
				t.Fatal(err)
			}
			value = into[0].(*sql.NullString).String
		}
		if err := rows.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return value
}

// users makes users of whom none has any right but the one to see replication.
func (s *server) users(t *testing.T) {
	t.Helper()
	s.do(t, "CREATE USER muster@'%' IDENTIFIED BY '"+secret+"'", "GRANT REPLICA MONITOR ON *.* TO muster@'%'",
		"CREATE USER nothing@'%' IDENTIFIED BY '"+secret+"'",
		"CREATE USER replicator@'%'", "GRANT REPLICATION SLAVE ON *.* TO replicator@'%'")
}

// follow makes s a replica of another server, and waits until it has all of it.
func (s *server) follow(t *testing.T, of *server) {
	t.Helper()
	s.do(t, fmt.Sprintf("CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=%d, MASTER_USER='replicator', "+
		"MASTER_USE_GTID=slave_pos, MASTER_CONNECT_RETRY=1", of.target.Port), "START SLAVE")
	s.catchUp(t, of)
}

// catchUp waits, inside the server, until s has applied all that of has written.
func (s *server) catchUp(t *testing.T, of *server) {
	t.Helper()
	position := of.do(t, "SELECT @@gtid_current_pos")
	if got := s.do(t, "SELECT MASTER_GTID_WAIT('"+position+"', 60)"); got != "0" {
		t.Fatalf("the replica has not reached %s:\n%s", position, s.Said())
	}
}

// await waits, inside the server, until a status has a value.
func (s *server) await(t *testing.T, name, value string) {
	t.Helper()
	s.do(t, fmt.Sprintf(`BEGIN NOT ATOMIC
		DECLARE tries INT DEFAULT 1200;
		WHILE tries > 0 AND NOT EXISTS (SELECT * FROM information_schema.global_status
			WHERE variable_name = '%s' AND variable_value = '%s') DO
			DO SLEEP(0.05);
			SET tries = tries - 1;
		END WHILE;
		IF tries = 0 THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'it never came to this'; END IF;
	END`, name, value))
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
