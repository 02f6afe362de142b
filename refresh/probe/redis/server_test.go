package redis_test

import (
	"strconv"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe/probetest"
)

// server is a real redis-server on a loopback port, with nothing on disk that outlives the test.
type server struct {
	*probetest.Process
	target refresh.Target
	admin  *goredis.Client
}

// run starts a server on a free port with more options, and waits until it answers.
func run(t *testing.T, node, password string, options ...string) *server {
	t.Helper()
	port := probetest.FreePort(t)
	s := &server{
		target: refresh.Target{Cluster: "orders", Node: node, Address: "127.0.0.1", Port: port},
		Process: &probetest.Process{
			Path: probetest.Program(t, "MUSTER_REDIS", "redis-server"),
			Args: append([]string{
				"--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", t.TempDir(), "--save", "",
				"--repl-diskless-sync-delay", "0", "--daemonize", "no",
			}, options...),
		},
	}
	s.admin = goredis.NewClient(&goredis.Options{Addr: s.target.HostPort(), Password: password, Protocol: 2})
	t.Cleanup(func() { _ = s.admin.Close() })
	s.start(t)
	return s
}

func (s *server) start(t *testing.T) {
	t.Helper()
	s.Start(t)
	s.Await(t, "Ready to accept connections")
}

func (s *server) do(t *testing.T, args ...any) {
	t.Helper()
	if err := s.admin.Do(t.Context(), args...).Err(); err != nil {
		t.Fatalf("%v: %v", args, err)
	}
}

// follows makes s a replica of primary and waits until it has its data.
func (s *server) follows(t *testing.T, primary *server) {
	t.Helper()
	s.do(t, "REPLICAOF", primary.target.Address, primary.target.Port)
	s.Await(t, "sync: Finished with success")
}
