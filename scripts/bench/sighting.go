package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
	"github.com/musterhq/muster/scripts/rig"
)

// sighting is an event of a node.
type sighting struct {
	kind fsm.EventType
	node string
}

// sightings are the events that a follower of one peer has seen, each with when it came first.
type sightings struct {
	mu sync.Mutex
	at map[sighting]time.Time
}

// follow begins to follow the events of a peer, until ctx ends; the events that are there already come first.
func follow(ctx context.Context, p *rig.Peer, kinds string) *sightings {
	s := &sightings{at: map[sighting]time.Time{}}
	go func() {
		// It ends with ctx; what it misses is missed by who awaits it.
		_ = p.API.Follow(ctx, httpd.EventsQuery{Type: kinds}, func(e httpd.Event) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			if key := (sighting{e.Type, e.Node}); s.at[key].IsZero() {
				s.at[key] = time.Now()
			}
			return nil
		})
	}()
	return s
}

// await is when an event was seen.
func (s *sightings) await(ctx context.Context, what sighting) (at time.Time, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	err = until(ctx, fmt.Sprintf("%s of %s", what.kind, what.node), func() (bool, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		at = s.at[what]
		return !at.IsZero(), nil
	})
	return at, err
}

// act has the fleet do something to a node: stop, silent or start.
func (f *fleet) act(ctx context.Context, verb, cluster, node string) error {
	action := map[string]string{"cluster": cluster, "node": node}
	return send(ctx, http.MethodPost, "http://"+f.control+"/v1/fleet/"+verb, action)
}

// send sends a value as JSON and wants the answer 200.
func send(ctx context.Context, method, url string, value any) error {
	raw, err := json.Marshal(value)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(raw))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, res.Status)
	}
	return nil
}
