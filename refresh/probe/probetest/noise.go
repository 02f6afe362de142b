package probetest

import (
	"context"
	"maps"
	"net"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/poll"
)

const (
	mostRoom = 64 << 20               // bytes that two polls may allocate, whatever they are answered
	goodbye  = 500 * time.Millisecond // how long what a prober has closed may take to end
)

// Noise fuzzes a kind with a server that serves rightly, but says something else instead of a stretch of its words: so
// noise comes after any right beginning, and a right end after any noise. Whatever that is, a poll does not panic, ends by
// its deadline, takes no more than mostRoom, leaves no goroutine for longer than goodbye, and its report may enter the
// state. Time is virtual, so that waiting for what never comes takes none.
func Noise(f *testing.F, s Subject) {
	f.Add(uint16(0), uint16(0), []byte{})
	f.Add(uint16(0), uint16(0xffff), []byte(s.Head))
	f.Add(uint16(len(s.Head)), uint16(4), []byte("\xff\xff\xff\xff"))
	f.Add(uint16(20), uint16(1), []byte("0"))
	f.Fuzz(func(t *testing.T, at, instead uint16, noise []byte) {
		synctest.Test(t, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			s.hears(t, func(conn net.Conn) {
				s.Serve(&noisy{Conn: conn, at: int(at), instead: int(instead), noise: noise})
			})
			runtime.ReadMemStats(&after)
			if took := after.TotalAlloc - before.TotalAlloc; took > mostRoom {
				t.Errorf("%d bytes take %d MiB", len(noise), took>>20)
			}
		})
	})
}

// hears polls a server twice, so that a connection which was kept is used again.
func (s Subject) hears(t *testing.T, serve func(net.Conn)) {
	defer func() { <-time.After(goodbye) }()
	client, err := poll.New(poll.Config{Dial: Piped(t, serve).Dial})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	asker, err := s.Make(refresh.Env{HTTP: client, Dial: client.Dial, ConnectTimeout: prompt})
	if err != nil {
		t.Fatal(err)
	}
	defer asker.Close()
	target := refresh.Target{Cluster: "orders", Node: "orders-1", Address: "db.example", Port: 7000}
	for range 2 {
		ctx, cancel := context.WithTimeout(t.Context(), prompt)
		begun := time.Now()
		report := asker.(refresh.Prober).Probe(ctx, target)
		cancel()
		if took := time.Since(begun); took > prompt {
			t.Errorf("a poll took %s of %s", took, prompt)
		}
		expectSound(t, report, target)
	}
}

// expectSound checks that a report is one or the other, and within the bounds.
func expectSound(t *testing.T, r fsm.Report, target refresh.Target) {
	t.Helper()
	if !r.Reachable {
		expectReason(t, r, target, r.Reason)
		if r.Reason == "" {
			t.Error("the report has no reason")
		}
		return
	}
	bound := r
	bound.Shards, bound.Attributes = slices.Clone(r.Shards), maps.Clone(r.Attributes)
	bound.Bound()
	if diff := cmp.Diff(bound, r); r.Node != target.Node || r.Reason != "" || diff != "" {
		t.Errorf("the report of %q says why (%q), or goes beyond the bounds (-bound +got):\n%s", r.Node, r.Reason, diff)
	}
}

// noisy says noise instead of so many of the bytes written to it from one of them on.
type noisy struct {
	net.Conn
	at, instead int
	noise       []byte
}

func (c *noisy) Write(p []byte) (int, error) {
	if c.at > len(p) {
		c.at -= len(p)
		return c.Conn.Write(p)
	}
	to := min(c.at+c.instead, len(p))
	said := slices.Concat(p[:c.at], c.noise, p[to:])
	c.instead -= to - c.at
	c.at, c.noise = 0, nil
	if len(said) == 0 {
		return len(p), nil
	}
	if _, err := c.Conn.Write(said); err != nil {
		return 0, err
	}
	return len(p), nil
}
