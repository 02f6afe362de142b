package peerport_test

import (
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Whatever the other side has given up meanwhile, a rested stream can be
// written to, as raft does with those in its pool.
func TestRestedStreamIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _ := piped()
		a, b := w.start(t, "a", nil), w.start(t, "b", nil)
		b.echo(t)
		stream := a.dialStream(t, "b")
		exchange(t, stream, "one")
		wait(t, 30*time.Second)
		exchange(t, stream, "two")
		if n := a.count(t, "dials_total", "ok"); n != 1 {
			t.Errorf("%v connections after half the idle timeout, want 1", n)
		}
		wait(t, 10*time.Minute)
		if err := stream.SetDeadline(time.Now().Add(time.Second)); err != nil && !errors.Is(err, io.ErrClosedPipe) {
			t.Fatal(err)
		}
		exchange(t, stream, "three")
		if n := a.count(t, "dials_total", "ok"); n != 2 {
			t.Errorf("%v connections after a long rest, want 2", n)
		}
		wait(t, 2*time.Second)
		if _, err := stream.Read(make([]byte, 1)); !isTimeout(err) {
			t.Errorf("Read = %v, want the deadline set before the replacement", err)
		}
	})
}

// A request under way is never moved to another connection, however slow.
func TestStreamUnderWayIsNotReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _ := piped()
		a, b := w.start(t, "a", nil), w.start(t, "b", nil)
		b.echo(t)
		stream := a.dialStream(t, "b")
		exchange(t, stream, "one")
		if _, err := stream.Write([]byte("half")); err != nil {
			t.Fatal(err)
		}
		wait(t, 45*time.Second)
		var echoed sync.WaitGroup
		echoed.Go(func() { io.ReadFull(stream, make([]byte, 8)) }) // else the pipe is stuck
		if _, err := stream.Write([]byte("rest")); err != nil {
			t.Fatal(err)
		}
		echoed.Wait()
		if n := a.count(t, "dials_total", "ok"); n != 1 {
			t.Errorf("%v connections, want 1", n)
		}
	})
}

// The new connection has the deadlines of the one it replaces.
func TestReplacementHasTheWritesDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, network := piped()
		a, b := w.start(t, "a", nil), w.start(t, "b", nil)
		b.echo(t)
		stream := a.dialStream(t, "b")
		exchange(t, stream, "one")
		wait(t, 10*time.Minute)
		l := network.Listen("10.9.9.9:1")
		w.move("b", "10.9.9.9:1")
		accepted := make(chan net.Conn, 1)
		go func() { // accepts the caller and then reads nothing
			conn, _ := l.Accept()
			head := make([]byte, 4)
			io.ReadFull(conn, head)
			io.ReadFull(conn, make([]byte, head[3]))
			conn.Write(answerFrame(0, "g", "b"))
			accepted <- conn
		}()
		_ = stream.SetDeadline(time.Now().Add(3 * time.Second))
		begin := time.Now()
		if _, err := stream.Write([]byte("two")); !isTimeout(err) || time.Since(begin) != 3*time.Second {
			t.Errorf("Write ended after %v with %v, want a timeout after 3s", time.Since(begin), err)
		}
		(<-accepted).Close()
	})
}

// So has the dialing of it.
func TestReplacingHasTheWritesDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, network := piped()
		a, b := w.start(t, "a", nil), w.start(t, "b", nil)
		b.echo(t)
		stream := a.dialStream(t, "b")
		exchange(t, stream, "one")
		wait(t, 10*time.Minute)
		w.move("b", network.Listen("10.9.9.9:1").Addr().String()) // never accepts
		_ = stream.SetDeadline(time.Now().Add(3 * time.Second))
		begin := time.Now()
		if _, err := stream.Write([]byte("two")); err == nil {
			t.Error("Write succeeded")
		}
		if took := time.Since(begin); took != 3*time.Second {
			t.Errorf("Write took %v, want 3s", took)
		}
	})
}

// A stream closed while it is being replaced stays closed.
func TestCloseWhileReplacing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, network := piped()
		a, b := w.start(t, "a", nil), w.start(t, "b", nil)
		b.echo(t)
		stream := a.dialStream(t, "b")
		exchange(t, stream, "one")
		wait(t, 10*time.Minute)
		l := network.Listen("10.9.9.9:1")
		w.move("b", "10.9.9.9:1")
		written := make(chan error, 1)
		go func() {
			_, err := stream.Write([]byte("two"))
			written <- err
		}()
		synctest.Wait()
		stream.Close()
		conn, _ := l.Accept()
		io.ReadFull(conn, make([]byte, 4))
		go io.Copy(io.Discard, conn)
		conn.Write(answerFrame(0, "g", "b"))
		if err := <-written; !errors.Is(err, net.ErrClosed) {
			t.Errorf("Write = %v, want net.ErrClosed", err)
		}
		if n := a.count(t, "open_connections", "dialed"); n != 0 {
			t.Errorf("%v dialed connections left open, want 0", n)
		}
	})
}
