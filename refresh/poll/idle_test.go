package poll_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/poll"
)

const empty = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

func get(t *testing.T, c *poll.Client, port int) {
	t.Helper()
	r := plain
	r.Address = fmt.Sprintf("10.0.0.7:%d", port)
	if _, err := c.Fetch(t.Context(), r); err != nil {
		t.Fatal(err)
	}
}

// A fleet larger than the limit is asked round and round: a steady share of polls need not dial, the most that can be had.
// Whoever was unused for longest would be the very one wanted next, and every poll would dial.
func TestLastToComeGoesFirst(t *testing.T) {
	const room, nodes, rounds = 5, 9, 8
	c, p := start(t, poll.Config{MaxOpen: room}, always(empty))
	for range rounds {
		for port := 1; port <= nodes; port++ {
			get(t, c, port)
		}
	}
	// One place is for who is asked, the others for as many of those that are not.
	want := nodes*rounds - (nodes*rounds-nodes)*(room-1)/(nodes-1)
	if dials, open := p.counts(); dials > want+1 || open != room {
		t.Errorf("%d dials in %d rounds of %d with room for %d, want %d; %d open", dials, rounds, nodes, room, want, open)
	}
}

// Idle connections and those in use share the limit, what is dialed for other protocols included.
func TestOneLimitForIdleAndInUse(t *testing.T) {
	const room = 4
	hold, asked := make(chan struct{}), make(chan struct{})
	c, p := start(t, poll.Config{MaxOpen: room}, func(dial int, conn net.Conn) {
		in := bufio.NewReader(conn)
		for heard(in) {
			if dial == room+1 || dial == room+2 {
				asked <- struct{}{}
				<-hold
			}
			_, _ = io.WriteString(conn, empty)
		}
	})
	expect := func(what string, want int) {
		t.Helper()
		if _, open := p.counts(); open != want {
			t.Errorf("%s: %d open, want %d", what, open, want)
		}
	}
	for port := range room {
		get(t, c, 1+port)
	}
	var all sync.WaitGroup
	for port := range 2 {
		all.Go(func() { get(t, c, 11+port) })
		<-asked
	}
	expect("two under way", room)
	other, err := c.Dial(t.Context(), "tcp", "10.0.0.7:21")
	if err != nil {
		t.Fatal(err)
	}
	expect("and another protocol", room)
	close(hold)
	all.Wait()
	expect("the two are idle", room)
	other.Close()
	other.Close()
	expect("the other is closed", room-1)
	get(t, c, 5)
	expect("its place is taken", room)
	for range 3 { // a dial that failed gives its place back
		if _, err := c.Dial(t.Context(), "tcp", "10.0.0.7:0"); err == nil {
			t.Fatal("port 0 was dialed")
		}
	}
	get(t, c, 6)
	expect("after dials that failed", room)
}

// A connection that is closed after its poll gives its place back.
func TestPlacesOfClosedConnections(t *testing.T) {
	const room = 3
	c, p := start(t, poll.Config{MaxOpen: room}, func(dial int, conn net.Conn) {
		answer := empty
		if dial <= room {
			answer = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
		}
		always(answer)(dial, conn)
	})
	for port := range 2 * room {
		get(t, c, 1+port)
	}
	if _, open := p.counts(); open != room {
		t.Errorf("%d open, want %d", open, room)
	}
}

// What this process is short of is had from connections that are idle; where none is, the poll fails by its own reason.
func TestShortageOfFiles(t *testing.T) {
	network := &pipes{t: t, serve: always(empty)}
	files := 3
	c, err := poll.New(poll.Config{Dial: func(ctx context.Context, _, address string) (net.Conn, error) {
		if _, open := network.counts(); open >= files {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("socket", syscall.EMFILE)}
		}
		return network.dial(ctx, "tcp", address)
	}})
	if err != nil {
		t.Fatal(err)
	}
	for port := 1; port <= 5; port++ {
		get(t, c, port)
	}
	files = 0
	_, err = c.Fetch(t.Context(), plain)
	expectReason(t, err, refresh.ReasonShortage)
	if _, open := network.counts(); open != 0 {
		t.Errorf("%d open beside a poll that could not dial", open)
	}
	c.Close()
	network.all.Wait()
}

// The place of a node that is not asked any more goes to another.
func TestPlacesOfThoseThatAreGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := start(t, poll.Config{MaxOpen: 2, IdleTimeout: time.Minute}, always(empty))
		get(t, c, 1)
		get(t, c, 2)
		for range 4 {
			<-time.After(20 * time.Second)
			get(t, c, 2)
			get(t, c, 3)
		}
		before, open := p.counts()
		get(t, c, 2)
		get(t, c, 3)
		if dials, _ := p.counts(); dials != before || open != 2 {
			t.Errorf("%d dials of those that are asked, %d open", dials-before, open)
		}
	})
}

func TestLongRestEndsAConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := start(t, poll.Config{IdleTimeout: time.Minute}, always(empty))
		for port := 1; port <= 5; port++ {
			get(t, c, port)
		}
		<-time.After(time.Minute + time.Second)
		get(t, c, 1) // not over the old one, and it closes two others
		if dials, open := p.counts(); dials != 6 || open != 3 {
			t.Errorf("%d dials, %d open", dials, open)
		}
		get(t, c, 6)
		if dials, open := p.counts(); dials != 7 || open != 2 {
			t.Errorf("%d dials, %d open", dials, open)
		}
	})
}

func TestOneIdleConnectionForEachAddress(t *testing.T) {
	const at = 4
	var arrived sync.WaitGroup
	arrived.Add(at)
	c, p := start(t, poll.Config{}, func(_ int, conn net.Conn) {
		in := bufio.NewReader(conn)
		for first := true; heard(in); first = false {
			if first {
				arrived.Done()
				arrived.Wait()
			}
			_, _ = io.WriteString(conn, empty)
		}
	})
	var all sync.WaitGroup
	for range at {
		all.Go(func() { get(t, c, 1) })
	}
	all.Wait()
	if dials, open := p.counts(); dials != at || open != 1 {
		t.Errorf("%d dials, %d open", dials, open)
	}
}

func TestKeptConnectionClosedByTheServer(t *testing.T) {
	c, p := start(t, poll.Config{}, once(empty))
	for range 3 {
		get(t, c, 1)
	}
	if dials, _ := p.counts(); dials != 3 {
		t.Errorf("%d dials", dials)
	}
}

// Sending again is for connections that died between two requests, and for nothing else.
func TestWhatIsNotSentAgain(t *testing.T) {
	for name, c := range map[string]struct {
		reason string
		second func(conn net.Conn)
	}{
		"part of an answer": {fsm.ReasonReset, func(conn net.Conn) { _, _ = io.WriteString(conn, "HTTP/1.1 2") }},
		"a bad answer":      {fsm.ReasonProtocol, func(conn net.Conn) { _, _ = io.WriteString(conn, "no\r\n") }},
		"no answer":         {fsm.ReasonTimeout, func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, p := start(t, poll.Config{}, func(_ int, conn net.Conn) {
					in := bufio.NewReader(conn)
					if heard(in) {
						_, _ = io.WriteString(conn, empty)
					}
					if heard(in) {
						c.second(conn)
					}
				})
				get(t, client, 8655)
				_, err := client.Fetch(t.Context(), plain)
				expectReason(t, err, c.reason)
				if dials, _ := p.counts(); dials != 1 {
					t.Errorf("%d dials", dials)
				}
			})
		})
	}
	t.Run("twice", func(t *testing.T) {
		client, p := start(t, poll.Config{}, func(dial int, conn net.Conn) {
			if heard(bufio.NewReader(conn)) && dial == 1 {
				_, _ = io.WriteString(conn, empty)
			}
		})
		get(t, client, 8655)
		_, err := client.Fetch(t.Context(), plain)
		expectReason(t, err, fsm.ReasonReset)
		if dials, _ := p.counts(); dials != 2 {
			t.Errorf("%d dials", dials)
		}
	})
}

func TestMetrics(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	c, _ := start(t, poll.Config{MaxOpen: 1, Registerer: registry}, once(empty))
	get(t, c, 1)
	get(t, c, 1)
	get(t, c, 2)
	want := `
# HELP muster_poll_denied_dials_total Connections that the dial rules refused; each is a failed poll with the reason address_forbidden.
# TYPE muster_poll_denied_dials_total counter
muster_poll_denied_dials_total 0
# HELP muster_poll_dials_total Connections asked for, those that failed too.
# TYPE muster_poll_dials_total counter
muster_poll_dials_total 3
# HELP muster_poll_idle_connections Connections kept for their next poll.
# TYPE muster_poll_idle_connections gauge
muster_poll_idle_connections 1
# HELP muster_poll_retries_total Requests sent again because the kept connection had been closed by the other side.
# TYPE muster_poll_retries_total counter
muster_poll_retries_total 1
# HELP muster_poll_unkept_connections_total Connections closed to make room for others; steadily growing, the limit is too low for the fleet.
# TYPE muster_poll_unkept_connections_total counter
muster_poll_unkept_connections_total 1
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want)); err != nil {
		t.Error(err)
	}
	if _, err := poll.New(poll.Config{Registerer: registry}); err == nil {
		t.Error("two clients with one registerer: no error")
	}
	c.Close()
	if n, err := testutil.GatherAndCount(registry); err != nil || n != 0 {
		t.Errorf("after Close: %d metrics, %v", n, err)
	}
}

var _ refresh.Fetcher = (*poll.Client)(nil)
