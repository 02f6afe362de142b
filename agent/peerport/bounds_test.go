package peerport_test

import (
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/musterhq/muster/agent/peerport"
)

func TestSilentClientDelaysNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _ := piped()
		a, b := w.start(t, "a", nil), w.start(t, "b", nil)
		b.echo(t)
		silent, half := w.connect(t, "b"), w.connect(t, "b")
		if _, err := half.Write([]byte{0xD5, 1, 0}); err != nil { // and no more
			t.Fatal(err)
		}

		begin := time.Now()
		exchange(t, a.dialStream(t, "b"), "hello")
		if took := time.Since(begin); took != 0 {
			t.Errorf("a stream took %v beside a silent client", took)
		}
		for name, conn := range map[string]net.Conn{"silent": silent, "half a frame": half} {
			if _, err := conn.Read(make([]byte, 1)); err != io.EOF {
				t.Errorf("%s: Read = %v, want EOF", name, err)
			}
			if lasted := time.Since(begin); lasted != 5*time.Second {
				t.Errorf("%s: closed after %v, want 5s", name, lasted)
			}
		}
		if n := b.count(t, "refused_total", "silent"); n != 2 {
			t.Errorf("%v refusals counted, want 2", n)
		}
	})
}

// expectClosed and expectOpen look at a connection on which nothing is written.
func expectClosed(t *testing.T, what string, c net.Conn) {
	t.Helper()
	if _, err := c.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("%s: Read = %v, want EOF", what, err)
	}
}

func expectOpen(t *testing.T, what string, c net.Conn) {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
		t.Errorf("%s: %v", what, err)
	}
	if _, err := c.Read(make([]byte, 1)); !isTimeout(err) {
		t.Errorf("%s: Read = %v, want a timeout", what, err)
	}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

func TestConnectionCaps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, network := piped()
		b := w.start(t, "b", func(cfg *peerport.Config) { cfg.MaxConns, cfg.MaxConnsPerIP = 3, 2 })
		from := func(addr string) net.Conn {
			w.dial = network.DialFrom(addr)
			return w.connect(t, "b")
		}
		first, second := from("10.1.0.1"), from("10.1.0.1")
		expectClosed(t, "third from one ip", from("10.1.0.1"))
		expectClosed(t, "same ip, written otherwise", from("::ffff:10.1.0.1"))
		third := from("10.1.0.2")
		expectClosed(t, "fourth in all", from("10.1.0.3"))
		for _, c := range []net.Conn{first, second, third} {
			expectOpen(t, "within the caps", c)
		}
		for reason, want := range map[string]float64{"conns_per_ip": 2, "conns": 1} {
			if n := b.count(t, "refused_total", reason); n != want {
				t.Errorf("%v refusals counted as %s, want %v", n, reason, want)
			}
		}
		first.Close()
		synctest.Wait()
		expectOpen(t, "in the place of one that closed", from("10.1.0.1"))
	})
}

// TestStrangersOfOneAddress: one address has a share of the handshakes, and others are still listened to; one that has shown who it is
// counts no more.
func TestStrangersOfOneAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, network := piped()
		a := w.start(t, "a", func(cfg *peerport.Config) { cfg.Dial = network.DialFrom("10.1.0.2") })
		b := w.start(t, "b", func(cfg *peerport.Config) { cfg.MaxHandshakes, cfg.MaxHandshakesPerIP = 4, 2 })
		b.echo(t)
		from := func(addr string) net.Conn {
			w.dial = network.DialFrom(addr)
			return w.connect(t, "b")
		}
		first := from("10.1.0.1")
		from("10.1.0.1")
		expectClosed(t, "third stranger from one ip", from("10.1.0.1"))
		for range 4 {
			exchange(t, a.dialStream(t, "b"), "hello")
		}
		if n := b.count(t, "refused_total", "handshakes_per_ip"); n != 1 {
			t.Errorf("%v refusals counted, want 1", n)
		}
		first.Close()
		synctest.Wait()
		expectOpen(t, "in the place of one that closed", from("10.1.0.1"))
	})
}

func TestAcceptOutlastsErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _ := piped()
		a := w.start(t, "a", nil)
		b := w.start(t, "b", func(cfg *peerport.Config) {
			cfg.Listener = &failingListener{Listener: cfg.Listener, failures: 5}
		})
		b.echo(t)
		exchange(t, a.dialStream(t, "b"), "hello")
	})
}

// failingListener fails a few times before it accepts.
type failingListener struct {
	net.Listener
	failures int
}

func (l *failingListener) Accept() (net.Conn, error) {
	if l.failures > 0 {
		l.failures--
		return nil, errors.New("too many open files")
	}
	return l.Listener.Accept()
}

func TestAcceptedStreamIdles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _ := piped()
		b := w.start(t, "b", nil)
		b.echo(t)
		conn := w.connect(t, "b")
		if err := conn.SetDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write(frame(1, packed("g", "a", "b", "1"))); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(conn, make([]byte, len(answerFrame(0, "g", "b")))); err != nil {
			t.Fatal(err)
		}
		for range 3 { // each word moves the deadline
			wait(t, 59*time.Second)
			exchange(t, conn, "hello")
		}
		begin := time.Now()
		expectClosed(t, "idle", conn)
		if lasted := time.Since(begin); lasted != time.Minute {
			t.Errorf("closed after %v, want 1m", lasted)
		}
	})
}

// wait lets virtual time pass.
func wait(t *testing.T, d time.Duration) {
	t.Helper()
	<-time.After(d)
}

func TestDialGivesUpOnSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, network := piped()
		a := w.start(t, "a", nil)
		l := network.Listen("10.9.9.9:1")
		w.move("b", l.Addr().String())
		for timeout, want := range map[time.Duration]time.Duration{0: 5 * time.Second, time.Second: time.Second} {
			accepted := make(chan net.Conn, 1)
			go func() {
				conn, _ := l.Accept()
				io.ReadFull(conn, make([]byte, len(frame(1, packed("g", "a", "b")))))
				accepted <- conn
			}()
			begin := time.Now()
			if _, err := a.Streams().Dial("b", timeout); !isTimeout(err) || time.Since(begin) != want {
				t.Errorf("Dial ended after %v with %v, want a timeout after %v", time.Since(begin), err, want)
			}
			(<-accepted).Close()
		}
	})
}

// A stream that raft does not take is not kept.
func TestStreamNobodyTakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _ := piped()
		a := w.start(t, "a", nil)
		w.start(t, "b", nil)
		stream := a.dialStream(t, "b")
		begin := time.Now()
		expectClosed(t, "not taken", stream)
		if lasted := time.Since(begin); lasted != 5*time.Second {
			t.Errorf("closed after %v, want 5s", lasted)
		}
	})
}
