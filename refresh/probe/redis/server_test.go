package redis_test

import (
	"bufio"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/musterhq/muster/refresh"
)

// server is a real redis-server on a loopback port, with nothing on disk that outlives the test.
type server struct {
	target refresh.Target
	args   []string
	cmd    *exec.Cmd
	admin  *goredis.Client

	mu    sync.Mutex
	lines []string
	read  int // lines that await has passed
	more  chan struct{}
	ended chan struct{}
}

func binary(t *testing.T) string {
	t.Helper()
	if path := os.Getenv("MUSTER_REDIS"); path != "" {
		return path
	}
	path, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatal("no redis-server on PATH: set MUSTER_REDIS to what scripts/redis.sh prints")
	}
	return path
}

// run starts a server on a free port with more options, and waits until it answers.
func run(t *testing.T, node, password string, options ...string) *server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	_ = l.Close()
	s := &server{
		target: refresh.Target{Cluster: "orders", Node: node, Address: "127.0.0.1", Port: port},
		args: append([]string{
			"--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", t.TempDir(), "--save", "",
			"--repl-diskless-sync-delay", "0", "--daemonize", "no",
		}, options...),
	}
	s.admin = goredis.NewClient(&goredis.Options{Addr: s.target.HostPort(), Password: password, Protocol: 2})
	t.Cleanup(func() { _ = s.admin.Close() })
	t.Cleanup(s.stop)
	s.start(t)
	return s
}

func (s *server) start(t *testing.T) {
	t.Helper()
	s.cmd = exec.Command(binary(t), s.args...)
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.lines, s.read, s.more, s.ended = nil, 0, make(chan struct{}, 1), make(chan struct{})
	go s.follow(bufio.NewScanner(out))
	s.await(t, "Ready to accept connections")
}

func (s *server) follow(log *bufio.Scanner) {
	defer close(s.ended)
	for log.Scan() {
		s.mu.Lock()
		s.lines = append(s.lines, log.Text())
		s.mu.Unlock()
		select {
		case s.more <- struct{}{}:
		default:
		}
	}
}

// await waits for the next line of the log that holds a text.
func (s *server) await(t *testing.T, text string) {
	t.Helper()
	limit := time.NewTimer(30 * time.Second)
	defer limit.Stop()
	for {
		if s.passed(text) {
			return
		}
		select {
		case <-s.more:
		case <-s.ended:
			if s.passed(text) {
				return
			}
			t.Fatalf("redis-server ended before it said %q:\n%s", text, strings.Join(s.lines, "\n"))
		case <-limit.C:
			t.Fatalf("redis-server has not said %q", text)
		}
	}
}

func (s *server) passed(text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for ; s.read < len(s.lines); s.read++ {
		if strings.Contains(s.lines[s.read], text) {
			s.read++
			return true
		}
	}
	return false
}

// stop ends the process as a crash would.
func (s *server) stop() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	<-s.ended
	_ = s.cmd.Wait()
	s.cmd = nil
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
	s.await(t, "sync: Finished with success")
}
