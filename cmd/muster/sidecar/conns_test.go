package sidecar_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/musterhq/muster/cmd/muster/sidecar"
)

const request = "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"

// TestConnectionsAreKept lets virtual time pass between requests on one connection.
func TestConnectionsAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := config(&store{says: leader()})
		_, stop := run(t, c)
		defer stop()
		conn := c.Listener.(*pipes).call()
		defer conn.Close()
		in := bufio.NewReader(conn)
		for _, wait := range []time.Duration{0, 10 * time.Minute, 14 * time.Minute} {
			<-time.After(wait)
			if _, err := io.WriteString(conn, request); err != nil {
				t.Fatalf("after %s: %v", wait, err)
			}
			answer, err := http.ReadResponse(in, nil)
			if err != nil {
				t.Fatalf("after %s: %v", wait, err)
			}
			io.Copy(io.Discard, answer.Body)
			answer.Body.Close()
		}
		began := time.Now()
		if _, err := in.ReadByte(); err == nil || time.Since(began) > 16*time.Minute {
			t.Errorf("unused for %s, the connection ends with %v", time.Since(began), err)
		}
	})
}

// TestDawdlersAreCutOff sends a request a byte a second.
func TestDawdlersAreCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := config(&store{says: leader()})
		_, stop := run(t, c)
		defer stop()
		conn := c.Listener.(*pipes).call()
		defer conn.Close()
		sent := 0
		for ; sent < len(request); sent++ {
			if _, err := io.WriteString(conn, request[sent:sent+1]); err != nil {
				break
			}
			<-time.After(time.Second)
		}
		if sent > 6 {
			t.Errorf("%d bytes were taken, one a second", sent)
		}
	})
}

// caller calls a listener again and again, from loopback addresses of its choice, and hangs up when the test ends.
type caller struct {
	t    *testing.T
	to   string
	open []net.Conn
}

// call says whether a request over a new connection is answered.
func (c *caller) call(from byte) bool {
	c.t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, from)}}
	conn, err := dialer.DialContext(c.t.Context(), "tcp", c.to)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { conn.Close() })
	c.open = append(c.open, conn)
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	_, _ = io.WriteString(conn, request)
	n, _ := conn.Read(make([]byte, 1))
	return n == 1
}

func TestConnectionsAreBounded(t *testing.T) {
	c := config(&store{says: leader()})
	c.Listener = listen(t)
	_, stop := run(t, c)
	defer stop()
	caller := &caller{t: t, to: c.Listener.Addr().String()}
	from := byte(1)
	for n := range sidecar.MaxConns {
		if n > 0 && n%sidecar.MaxConnsOf == 0 {
			if n == sidecar.MaxConnsOf && caller.call(from) {
				t.Error("one address has one more")
			}
			from++
		}
		if !caller.call(from) {
			t.Fatalf("connection %d, from 127.0.0.%d, is refused", n+1, from)
		}
	}
	if caller.call(from + 1) {
		t.Error("there is one more than may be")
	}
	caller.open[0].Close()
	until(t, func() bool { return caller.call(from + 1) })
}

// until tries until it is so. That a connection was closed by one side is for the other to find out.
func until(t *testing.T, so func() bool) {
	t.Helper()
	limit, again := time.NewTimer(time.Minute), time.NewTicker(5*time.Millisecond)
	defer limit.Stop()
	defer again.Stop()
	for !so() {
		select {
		case <-again.C:
		case <-limit.C:
			t.Fatal("it never is")
		}
	}
}
