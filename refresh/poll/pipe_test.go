package poll_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/poll"
)

// pipes is a network of net.Pipes: each dial is handed to serve, with the number of the dial, from 1.
type pipes struct {
	t     *testing.T
	serve func(dial int, conn net.Conn)

	mu    sync.Mutex
	dials int
	open  int
	all   sync.WaitGroup
}

func (p *pipes) dial(ctx context.Context, _, address string) (net.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if strings.HasSuffix(address, ":0") {
		return nil, syscall.ECONNREFUSED
	}
	ours, theirs := net.Pipe()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dials++
	p.open++
	n := p.dials
	p.all.Go(func() {
		p.serve(n, theirs)
		_ = theirs.Close()
	})
	return &counted{Conn: ours, network: p}, nil
}

func (p *pipes) counts() (dials, open int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dials, p.open
}

// counted notices the first Close.
type counted struct {
	net.Conn
	network *pipes
	once    sync.Once
}

func (c *counted) Close() error {
	c.once.Do(func() {
		c.network.mu.Lock()
		c.network.open--
		c.network.mu.Unlock()
	})
	return c.Conn.Close()
}

// start makes a client on a network of pipes; at the end all of it must have ended.
func start(t *testing.T, config poll.Config, serve func(dial int, conn net.Conn)) (*poll.Client, *pipes) {
	t.Helper()
	p := &pipes{t: t, serve: serve}
	config.Dial = p.dial
	c, err := poll.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close()
		p.all.Wait()
		if _, open := p.counts(); open != 0 {
			t.Errorf("%d connections were never closed", open)
		}
	})
	return c, p
}

// always answers every request on a connection with a text.
func always(answer string) func(int, net.Conn) {
	return func(_ int, conn net.Conn) {
		in := bufio.NewReader(conn)
		for heard(in) {
			if _, err := io.WriteString(conn, answer); err != nil {
				return
			}
		}
	}
}

// once answers one request with a text and hangs up.
func once(answer string) func(int, net.Conn) {
	return func(_ int, conn net.Conn) {
		if heard(bufio.NewReader(conn)) {
			_, _ = io.WriteString(conn, answer)
		}
	}
}

// mute takes every request and says nothing.
func mute(_ int, conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }

func heard(in *bufio.Reader) bool {
	_, err := http.ReadRequest(in)
	return err == nil
}

var plain = refresh.Request{Address: "10.0.0.7:8655", Path: "/v1/node"}

func expectReason(t *testing.T, err error, reason string) {
	t.Helper()
	if err == nil {
		t.Errorf("no error, wanted is the reason %s", reason)
		return
	}
	if got := refresh.FaultOf(err); got.Reason != reason {
		t.Errorf("reason is %s (%v), wanted is %s", got.Reason, err, reason)
	}
}

func TestConfigRefused(t *testing.T) {
	for _, c := range []poll.Config{{ConnectTimeout: -1}, {Timeout: -1}, {MaxOpen: -1}, {IdleTimeout: -1}} {
		if _, err := poll.New(c); err == nil {
			t.Errorf("%+v: no error", c)
		}
	}
}

func TestRequestsThatWouldBeMoreThanOne(t *testing.T) {
	c, p := start(t, poll.Config{}, always("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
	for _, r := range []refresh.Request{
		{Address: plain.Address},
		{Address: plain.Address, Path: "v1"},
		{Address: plain.Address, Path: "/a b"},
		{Address: plain.Address, Path: "/a\r\nX: y"},
		{Address: plain.Address, Path: "/", IfNoneMatch: "\"a\"\r\nX: y"},
		{Address: "10.0.0.7:80\r\nX: y", Path: "/"},
		{Address: "evil@10.0.0.7:80", Path: "/"},
		{Address: "10.0.0.7/x:80", Path: "/"},
		{Address: "[fe80::1%eth0]:80", Path: "/"},
	} {
		if _, err := c.Fetch(t.Context(), r); err == nil {
			t.Errorf("%+v: no error", r)
		}
	}
	if dials, _ := p.counts(); dials != 0 {
		t.Errorf("%d dials for requests that are none", dials)
	}
}

func TestWhatIsSent(t *testing.T) {
	sent := make(chan string, 1)
	c, _ := start(t, poll.Config{}, func(_ int, conn net.Conn) {
		buf := make([]byte, 4096)
		n, _ := conn.Read(buf)
		sent <- string(buf[:n])
		_, _ = io.WriteString(conn, "HTTP/1.1 304 Not Modified\r\n\r\n")
	})
	r := plain
	r.Path, r.IfNoneMatch = "/v1/node?x=1", `W/"abc"`
	if _, err := c.Fetch(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	const want = "GET /v1/node?x=1 HTTP/1.1\r\nHost: 10.0.0.7:8655\r\nUser-Agent: muster\r\nIf-None-Match: W/\"abc\"\r\n\r\n"
	if got := <-sent; got != want {
		t.Errorf("sent is\n%q, wanted is\n%q", got, want)
	}
}

func TestClosedClient(t *testing.T) {
	c, _ := start(t, poll.Config{}, always("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
	c.Close()
	if _, err := c.Fetch(t.Context(), plain); !errors.Is(err, net.ErrClosed) {
		t.Errorf("error is %v", err)
	}
	expectReason(t, net.ErrClosed, fsm.ReasonReset)
}
