package probetest

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/musterhq/muster/refresh"
)

// server accepts on a loopback port and hands each connection to one function, in a goroutine of its own.
type server struct {
	target refresh.Target
	asked  chan struct{} // gets a value when a request, or its beginning, has come; holds one

	listener net.Listener
	done     chan struct{}
	all      sync.WaitGroup
	mu       sync.Mutex
	open     map[net.Conn]struct{}
}

func serve(t *testing.T, handle func(*server, net.Conn)) *server {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{
		target: refresh.Target{
			Cluster: "orders", Node: "orders-1",
			Address: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port,
		},
		asked: make(chan struct{}, 1), listener: l, done: make(chan struct{}), open: map[net.Conn]struct{}{},
	}
	s.all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.track(conn)
			s.all.Go(func() {
				defer s.forget(conn)
				handle(s, conn)
			})
		}
	})
	return s
}

func (s *server) track(conn net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[conn] = struct{}{}
}

func (s *server) forget(conn net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, conn)
	_ = conn.Close()
}

// hangUp closes every connection, as a server does that restarts.
func (s *server) hangUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn := range s.open {
		_ = conn.Close()
	}
}

// close ends the server and all it started.
func (s *server) close() {
	close(s.done)
	_ = s.listener.Close()
	s.hangUp()
	s.all.Wait()
}

// hear waits for a request, of which it reads what comes first.
func (s *server) hear(conn net.Conn) bool {
	if _, err := conn.Read(make([]byte, 4096)); err != nil {
		return false
	}
	select {
	case s.asked <- struct{}{}:
	default:
	}
	return true
}

// silent hears a request and says nothing.
func silent(s *server, conn net.Conn) {
	if s.hear(conn) {
		_, _ = io.Copy(io.Discard, conn)
	}
}

// says answers a request, heard or not, with a text, and ends.
func says(text string) func(*server, net.Conn) {
	return func(s *server, conn net.Conn) {
		if s.hear(conn) {
			_, _ = io.WriteString(conn, text)
		}
	}
}

// huge answers with a beginning, and then 10 MiB. It leaves hanging up to the other side: a close over requests that were
// not heard is a reset, which takes with it what the other side has not read yet.
func huge(head string) func(*server, net.Conn) {
	return func(s *server, conn net.Conn) {
		if !s.hear(conn) {
			return
		}
		_, err := io.WriteString(conn, head)
		block := make([]byte, 64<<10)
		for i := range block {
			block[i] = 'x'
		}
		for sent := 0; sent < 10<<20 && err == nil; sent += len(block) {
			_, err = conn.Write(block)
		}
		_, _ = io.Copy(io.Discard, conn)
	}
}

// slow answers with a beginning and then one byte a second for ever.
func slow(head string) func(*server, net.Conn) {
	return func(s *server, conn net.Conn) {
		if !s.hear(conn) {
			return
		}
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		_, err := io.WriteString(conn, head)
		for err == nil {
			select {
			case <-tick.C:
				_, err = conn.Write([]byte("x"))
			case <-s.done:
				return
			}
		}
	}
}
