package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
	"github.com/musterhq/muster/scripts/rig"
)

// told is an event as it came to a follower.
type told struct {
	httpd.Event
	came time.Time
}

// stream is all events that one client has had from one peer, over all its connections.
type stream struct {
	peer string

	mu     sync.Mutex
	events []told
	grew   chan struct{} // closed when an event is added
	ended  error
}

// follow follows a peer's events from the first one until the test ends. Losing events ends a stream, which fails the test.
func (w *world) follow(p *rig.Peer) *stream {
	s := &stream{peer: p.Name, grew: make(chan struct{})}
	ctx, cancel := context.WithCancel(w.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		err := p.API.Follow(ctx, httpd.EventsQuery{}, func(e httpd.Event) error {
			s.add(e)
			return nil
		})
		s.end(err)
	}()
	w.Cleanup(func() {
		cancel()
		<-done
		if s.ended != nil && !errors.Is(s.ended, context.Canceled) {
			w.Errorf("the follower of %s ended: %s", s.peer, s.ended)
		}
	})
	return s
}

func (s *stream) add(e httpd.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, told{e, time.Now()})
	close(s.grew)
	s.grew = make(chan struct{})
}

func (s *stream) end(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = err
	close(s.grew)
	s.grew = make(chan struct{})
}

// since are the events from a place in the stream on, with what to wait for when there are no more.
func (s *stream) since(place int) ([]told, <-chan struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.events[place:len(s.events):len(s.events)], s.grew, s.ended
}

// all are the events so far.
func (s *stream) all() []told {
	events, _, _ := s.since(0)
	return events
}

// mark is the place after all events so far.
func (s *stream) mark() int { return len(s.all()) }

// want is which event is waited for; empty fields mean any.
type want struct {
	kind          fsm.EventType
	cluster, node string
}

func (k want) String() string { return fmt.Sprintf("%s of %s/%s", k.kind, k.cluster, k.node) }

func (k want) matches(e httpd.Event) bool {
	return e.Type == k.kind && (k.cluster == "" || e.Cluster == k.cluster) && (k.node == "" || e.Node == k.node)
}

// await waits for an event at a place of the stream or after it.
func (w *world) await(s *stream, from int, k want) told {
	w.Helper()
	late := time.NewTimer(patience)
	defer late.Stop()
	for place := from; ; {
		events, grew, err := s.since(place)
		for _, e := range events {
			if k.matches(e.Event) {
				return e
			}
		}
		if err != nil {
			w.Fatalf("the follower of %s ended: %s", s.peer, err)
		}
		place += len(events)
		select {
		case <-grew:
		case <-late.C:
			w.Fatalf("no %s came within %s; there came %q", k, patience, names(s.all()[from:]))
		}
	}
}

// count is how many events match from a place on.
func (s *stream) count(from int, k want) int {
	n := 0
	for _, e := range s.all()[from:] {
		if k.matches(e.Event) {
			n++
		}
	}
	return n
}

// exactly fails the test when there are more or fewer such events from a place on.
func (w *world) exactly(n int, s *stream, from int, k want) {
	w.Helper()
	if got := s.count(from, k); got != n {
		w.Errorf("there are %d events %s; wanted are %d, among %q", got, k, n, names(s.all()[from:]))
	}
}

func names(events []told) []string {
	out := []string{}
	for _, e := range events {
		out = append(out, fmt.Sprintf("%d %s %s/%s %s", e.Seq, e.Type, e.Cluster, e.Node, e.Shard))
	}
	return out
}

// lastCursor is the place after the last event that a peer has.
func (w *world) lastCursor(p *rig.Peer) string {
	w.Helper()
	for after := ""; ; {
		page, err := p.API.Events(w.soon(), httpd.EventsQuery{After: after}, 1000)
		w.must(err)
		if len(page.Rows) == 0 {
			return page.Next
		}
		after = page.Next
	}
}

// gapFree fails the test when a stream is not the events 1, 2, 3… of one epoch.
func gapFree(t *testing.T, s *stream) {
	t.Helper()
	events := s.all()
	for i, e := range events {
		if e.Seq != uint64(i+1) || e.Epoch != events[0].Epoch {
			t.Fatalf("event %d of %s is %s:%d, want %s:%d", i, s.peer, e.Epoch, e.Seq, events[0].Epoch, i+1)
		}
	}
}
