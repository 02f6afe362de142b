package httpd_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"syscall"
	"testing"
	"time"

	"github.com/musterhq/muster/fsm"
)

// cpuTime is the user and system time of this process: followers also wait on purpose, and others use the machine.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// sink takes a stream as fast as it comes, counts its lines, and tells when there are as many as awaited.
type sink struct {
	header http.Header
	lines  int
	bytes  int
	want   int
	full   func()
}

func (k *sink) Header() http.Header { return k.header }
func (k *sink) WriteHeader(int)     {}
func (k *sink) Flush()              {}

func (k *sink) Write(p []byte) (int, error) {
	k.bytes += len(p)
	k.lines += bytes.Count(p, []byte{'\n'})
	if k.lines >= k.want && k.full != nil {
		k.full()
	}
	return len(p), nil
}

// stormy is a face whose state holds at least so many events: ten nodes of a cluster go down together and come back.
func stormy(b *testing.B, events uint64) *face {
	b.Helper()
	f := newFace(b)
	d := f.applied("prod")
	f.listed(d, "orders", tenNodes("orders")...)
	for round := 0; f.state.Read().Meta().Seq < events; round++ {
		f.storm("orders", round)
	}
	return f
}

// storm has all nodes of a cluster change their state.
func (p *peer) storm(cluster string, round int) {
	p.t.Helper()
	var reports []fsm.Report
	for i, id := range tenNodes(cluster) {
		r := up(id, fsm.RoleReplica)
		if i == 0 {
			r.Shards[0].Role = fsm.RolePrimary
		}
		if round%2 == 1 {
			r.State, r.StateReason = fsm.StateDown, "loading"
		}
		reports = append(reports, r)
	}
	p.refreshed(cluster, reports...)
}

func tenNodes(cluster string) []string {
	var ids []string
	for i := range 10 {
		ids = append(ids, fmt.Sprintf("%s-%02d", cluster, i))
	}
	return ids
}

// BenchmarkCatchUp follows 20,000 kept events from the oldest, alone, beside others that do the same, and past a filter that
// wants none of them. It is reported by event and follower.
func BenchmarkCatchUp(b *testing.B) {
	const events = 20_000
	f := stormy(b, events)
	total := f.state.Read().Meta().Seq
	for _, c := range []struct {
		name, query string
		followers   int
		lines       int
	}{
		{"one", "", 1, int(total)}, {"ten", "", 10, int(total)}, {"none wanted", "?type=peer.left", 1, 0}, {"sse", "", 1, int(total)},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			var size int
			began := cpuTime()
			for b.Loop() {
				for range c.followers {
					size = f.catchUp(b, c.query, c.lines, c.name == "sse")
				}
			}
			b.ReportMetric(float64(cpuTime()-began)/float64(b.N)/float64(total)/float64(c.followers), "cpu-ns/event")
			b.ReportMetric(float64(size)/float64(total), "B/event")
		})
	}
}

// catchUp follows until there were so many events, or what there is has been passed, and returns the bytes written.
func (f *face) catchUp(b *testing.B, query string, events int, sse bool) int {
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	k := &sink{header: http.Header{}, want: events + 1, full: cancel}
	if sse {
		k.want = 3 * (events + 1)
	}
	req := httptest.NewRequestWithContext(ctx, http.MethodGet, "/v1/events/follow"+query, nil)
	if sse {
		req.Header.Set("Accept", "text/event-stream")
	}
	f.server.Handler().ServeHTTP(k, req)
	if k.lines < k.want {
		b.Fatalf("%d lines came, not %d", k.lines, k.want)
	}
	return k.bytes
}

// BenchmarkFanOut has followers wait at the end and appends the dozen events of one entry. It is reported by event and
// follower, with what a waiting follower holds.
func BenchmarkFanOut(b *testing.B) {
	for _, c := range []struct {
		name, query string
		followers   int
		wanted      func(fsm.EventType) bool
	}{
		{"1000", "", 1000, func(fsm.EventType) bool { return true }},
		{"100", "", 100, func(fsm.EventType) bool { return true }},
		{"1000 filtered", "&type=" + string(fsm.ClusterHealthChanged), 1000, func(t fsm.EventType) bool { return t == fsm.ClusterHealthChanged }},
	} {
		b.Run(c.name, func(b *testing.B) { fanOut(b, "?after=now"+c.query, c.followers, c.wanted) })
	}
}

func fanOut(b *testing.B, query string, followers int, wanted func(fsm.EventType) bool) {
	f := stormy(b, 100)
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan struct{}, followers)
	lines := make(chan int, followers)
	for range followers {
		k := &tap{lines: lines}
		req := httptest.NewRequestWithContext(ctx, http.MethodGet, "/v1/events/follow"+query, nil)
		go func() {
			f.server.Handler().ServeHTTP(k, req)
			ended <- struct{}{}
		}()
	}
	for range followers {
		<-lines // the first heartbeat
	}
	b.ReportAllocs()
	var spent time.Duration
	events := 0
	for round := 0; b.Loop(); round++ {
		before := f.state.Read().Meta().Seq
		f.storm("orders", round)
		fresh := 0
		for e := range f.state.Read().Events(before) {
			events++
			if wanted(e.Type) {
				fresh++
			}
		}
		began := cpuTime()
		for got := 0; got < fresh*followers; {
			got += <-lines
		}
		spent += cpuTime() - began
	}
	b.ReportMetric(float64(spent)/float64(events)/float64(followers), "cpu-ns/event")
	cancel()
	for range followers {
		<-ended
	}
}

// tap tells how many lines each write held.
type tap struct {
	header http.Header
	lines  chan<- int
}

func (t *tap) Header() http.Header {
	if t.header == nil {
		t.header = http.Header{}
	}
	return t.header
}
func (t *tap) WriteHeader(int) {}
func (t *tap) Flush()          {}

func (t *tap) Write(p []byte) (int, error) {
	t.lines <- bytes.Count(p, []byte{'\n'})
	return len(p), nil
}
