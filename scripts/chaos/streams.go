package main

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
	"github.com/musterhq/muster/scripts/rig"
)

// stream is all events that one client was told by one peer, over all its connections and the peer's lives.
type stream struct {
	peer   string
	cancel context.CancelFunc
	done   chan struct{}

	mu     sync.Mutex
	events []httpd.Event
	err    error
}

// follow follows a peer's events from the first one until end. It goes on wherever it was cut off, also while the peer is
// away for long.
func follow(ctx context.Context, p *rig.Peer) *stream {
	ctx, cancel := context.WithCancel(ctx)
	s := &stream{peer: p.Name, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(s.done)
		err := p.API.Follow(ctx, httpd.EventsQuery{}, func(e httpd.Event) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.events = append(s.events, e)
			return nil
		})
		if ctx.Err() == nil {
			s.err = fmt.Errorf("the follower of %s was cut off: %w", s.peer, err)
		}
	}()
	return s
}

func (s *stream) last() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.events) == 0 {
		return 0
	}
	return s.events[len(s.events)-1].Seq
}

// end stops following and returns what was told.
func (s *stream) end() ([]httpd.Event, error) {
	s.cancel()
	<-s.done
	return s.events, s.err
}

// gaps says where a peer's events are not 1, 2, 3… of one epoch.
func gaps(peer string, events []httpd.Event) (wrong []string) {
	for i, e := range events {
		if e.Seq != uint64(i+1) || e.Epoch != events[0].Epoch {
			return append(wrong, fmt.Sprintf("event %d that %s told is %s:%d; %s:%d was next",
				i, peer, e.Epoch, e.Seq, events[0].Epoch, i+1))
		}
	}
	return nil
}

// apartFrom says where two peers' events differ, as far as both go.
func apartFrom(a string, as []httpd.Event, b string, bs []httpd.Event) (wrong []string) {
	for i := range min(len(as), len(bs)) {
		if x, y := plain(as[i]), plain(bs[i]); x != y {
			return append(wrong, fmt.Sprintf("event %d differs:\n%s: %s\n%s: %s", i+1, a, x, b, y))
		}
	}
	return nil
}

// plain is an event as text by which it is compared.
func plain(e httpd.Event) string {
	e.Cursor = "" // only followers get it
	raw, err := json.Marshal(e)
	if err != nil {
		return err.Error()
	}
	return string(raw)
}

// unaccounted compares the writes that clients called with the events that tell of them: one for each that was
// acknowledged, none for one that was refused, at most one for one whose outcome is unknown.
func unaccounted(c *clients, events []httpd.Event) (wrong []string) {
	told := map[int]int{}
	for _, e := range events {
		if e.Type == fsm.ClusterSettingsChanged {
			for _, value := range written(e) {
				told[value]++
			}
		}
	}
	for _, op := range c.history {
		in, out := op.Input.(input), op.Output.(output)
		n := told[in.value]
		switch {
		case in.verb == read:
		case n > 1:
			wrong = append(wrong, fmt.Sprintf("%s of %d to %v is %d events", in.verb, in.value, in.register, n))
		case n == 0 && !out.unknown:
			wrong = append(wrong, fmt.Sprintf("acknowledged %s of %d to %v is no event", in.verb, in.value, in.register))
		}
	}
	for value := range c.refused {
		if told[value] > 0 {
			wrong = append(wrong, fmt.Sprintf("write of %d was refused and is an event", value))
		}
	}
	return wrong
}

// written are the values that an event says were set.
func written(e httpd.Event) (values []int) {
	var before, after struct {
		Vars map[string]int `json:"vars"`
	}
	// An event of settings whose parts do not read has written nothing that is looked for, which is then missed.
	_ = json.Unmarshal(e.Before, &before)
	_ = json.Unmarshal(e.After, &after)
	for name, value := range after.Vars {
		if before.Vars[name] != value {
			values = append(values, value)
		}
	}
	return values
}
