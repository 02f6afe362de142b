package poll_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh/poll"
)

// took runs one request in virtual time and checks why and exactly when it ended.
func took(t *testing.T, config poll.Config, timeout, want time.Duration, serve func(int, net.Conn)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c, p := start(t, config, serve)
		ctx := t.Context()
		if timeout > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, timeout)
			defer cancel()
		}
		begun := time.Now()
		_, err := c.Fetch(ctx, plain)
		expectReason(t, err, fsm.ReasonTimeout)
		if got := time.Since(begun); got != want {
			t.Errorf("ended after %s, wanted is %s", got, want)
		}
		if _, open := p.counts(); open != 0 {
			t.Error("the connection was kept")
		}
	})
}

// drip says a text and then a byte each second.
func drip(text string) func(int, net.Conn) {
	return func(_ int, conn net.Conn) {
		if !heard(bufio.NewReader(conn)) {
			return
		}
		_, err := io.WriteString(conn, text)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for err == nil {
			<-tick.C
			_, err = conn.Write([]byte("x"))
		}
	}
}

func TestDeadlines(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
	t.Run("silent", func(t *testing.T) { took(t, poll.Config{}, 3*time.Second, 3*time.Second, mute) })
	t.Run("reads nothing", func(t *testing.T) {
		took(t, poll.Config{}, 3*time.Second, 3*time.Second, func(int, net.Conn) { <-time.After(time.Minute) })
	})
	t.Run("slow header", func(t *testing.T) { took(t, poll.Config{}, 5*time.Second, 5*time.Second, drip("HTTP/1.1 ")) })
	t.Run("slow body", func(t *testing.T) { took(t, poll.Config{}, 5*time.Second, 5*time.Second, drip(head)) })
	t.Run("without one", func(t *testing.T) { took(t, poll.Config{Timeout: 2 * time.Second}, 0, 2*time.Second, mute) })
}

func TestConnectTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, err := poll.New(poll.Config{Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		for _, said := range []time.Duration{0, 700 * time.Millisecond, time.Minute} {
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			r := plain
			r.ConnectTimeout = said
			begun := time.Now()
			_, err := c.Fetch(ctx, r)
			expectReason(t, err, fsm.ReasonTimeout)
			want := said
			if want == 0 {
				want = time.Second
			}
			if got := time.Since(begun); got != min(want, 3*time.Second) {
				t.Errorf("connect timeout %s: ended after %s", said, got)
			}
			cancel()
		}
	})
}

func TestCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := start(t, poll.Config{}, mute)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		time.AfterFunc(10*time.Millisecond, cancel)
		begun := time.Now()
		_, err := c.Fetch(ctx, plain)
		expectReason(t, err, fsm.ReasonTimeout)
		if got := time.Since(begun); got != 10*time.Millisecond {
			t.Errorf("ended after %s", got)
		}
		if _, err := c.Fetch(ctx, plain); err == nil {
			t.Error("a request with a context that had ended was sent")
		}
		if dials, open := p.counts(); dials != 1 || open != 0 {
			t.Errorf("%d dials, %d open", dials, open)
		}
	})
}

// A context that ends just after the answer must not cut the connection under the next request.
func TestLateEndOfAnEarlierContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := start(t, poll.Config{}, always("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
		ctx, cancel := context.WithCancel(t.Context())
		if _, err := c.Fetch(ctx, plain); err != nil {
			t.Fatal(err)
		}
		cancel()
		synctest.Wait()
		if _, err := c.Fetch(t.Context(), plain); err != nil {
			t.Error(err)
		}
		if dials, _ := p.counts(); dials != 1 {
			t.Errorf("%d dials", dials)
		}
	})
}

// cutting ends a context as soon as something was read.
type cutting struct {
	net.Conn
	cancel context.CancelFunc
}

func (c cutting) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.cancel()
	return n, err
}

// The interrupt of a context that ended while the answer came may strike later: such a connection must not be used again.
func TestContextThatEndsWithTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := &pipes{t: t, serve: always("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")}
		ctx, cancel := context.WithCancel(t.Context())
		c, err := poll.New(poll.Config{Dial: func(dialing context.Context, _, address string) (net.Conn, error) {
			conn, err := network.dial(dialing, "tcp", address)
			return cutting{conn, cancel}, err
		}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Fetch(ctx, plain); err != nil {
			t.Errorf("the answer had come: %v", err)
		}
		if _, open := network.counts(); open != 0 {
			t.Error("the connection was kept")
		}
		c.Close()
		network.all.Wait()
	})
}
