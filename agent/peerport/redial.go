package peerport

import (
	"net"
	"os"
	"sync"
	"time"
)

// dialedStream is a stream as raft holds it. One that rested for longer than
// stale since the last answer is replaced before the next request goes out: by
// then the other side may have given it up (see the package's comment). An
// exchange that has begun is never moved.
type dialedStream struct {
	stale  time.Duration
	redial func(timeout time.Duration) (net.Conn, error)

	writing sync.Mutex // one Write at a time, so that one replaces

	mu       sync.Mutex
	conn     net.Conn
	closed   bool
	answered time.Time // of the last Read; zero while a request has no answer
	readBy   time.Time
	writeBy  time.Time
}

func (s *dialedStream) Read(b []byte) (int, error) {
	s.mu.Lock()
	conn := s.conn
	s.mu.Unlock()
	n, err := conn.Read(b)
	if n > 0 {
		s.mu.Lock()
		s.answered = time.Now()
		s.mu.Unlock()
	}
	return n, err
}

func (s *dialedStream) Write(b []byte) (int, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	conn, err := s.fresh()
	if err != nil {
		return 0, err
	}
	return conn.Write(b)
}

// fresh returns the connection to write to, replacing a stale one within the
// write's deadline.
func (s *dialedStream) fresh() (net.Conn, error) {
	s.mu.Lock()
	old, by := s.conn, s.writeBy
	rested := !s.answered.IsZero() && time.Since(s.answered) > s.stale
	s.answered = time.Time{}
	if s.closed || !rested {
		s.mu.Unlock()
		return old, nil
	}
	s.mu.Unlock()

	var timeout time.Duration
	if !by.IsZero() {
		if timeout = time.Until(by); timeout <= 0 {
			return nil, os.ErrDeadlineExceeded
		}
	}
	_ = old.Close()
	conn, err := s.redial(timeout)
	if err != nil {
		return nil, err
	}
	return s.replace(conn)
}

func (s *dialedStream) replace(conn net.Conn) (net.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		_ = conn.Close()
		return nil, net.ErrClosed
	}
	s.conn = conn
	if err := conn.SetReadDeadline(s.readBy); err != nil {
		return nil, err
	}
	return conn, conn.SetWriteDeadline(s.writeBy)
}

// Close is safe to call while the stream is being replaced.
func (s *dialedStream) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return s.conn.Close()
}

func (s *dialedStream) SetDeadline(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.readBy, s.writeBy = t, t
	return s.conn.SetDeadline(t)
}

func (s *dialedStream) SetReadDeadline(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.readBy = t
	return s.conn.SetReadDeadline(t)
}

func (s *dialedStream) SetWriteDeadline(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writeBy = t
	return s.conn.SetWriteDeadline(t)
}

func (s *dialedStream) LocalAddr() net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conn.LocalAddr()
}

func (s *dialedStream) RemoteAddr() net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conn.RemoteAddr()
}
