package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/musterhq/muster/fsm"
)

const (
	registered    = "orders" // service
	registerPause = 100 * time.Millisecond
)

// consul registers instances of a service in a real Consul, one after the other, and measures when each is an event at a
// follower, and when a blocking query has it that asks the same Consul directly.
func (s *detection) consul(ctx context.Context, b *bench, out *result) error {
	r, err := b.rig(ctx)
	if err != nil {
		return err
	}
	step("Consul")
	_, addr, err := r.Consul(ctx)
	if err != nil {
		return err
	}
	g, err := b.group(ctx, r)
	if err != nil {
		return err
	}
	p, err := g.follower(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := register(ctx, addr, instance(0)); err != nil {
		return err
	}
	spec := fsm.DefaultSpec()
	spec.Backend, spec.Refresh.Enabled = "consul", false
	spec.Config = fsm.JSON(fmt.Sprintf(`{"address":%q,"tags":["muster"]}`, addr))
	if _, err := p.API.PutDiscovery(ctx, "consul", spec, nil); err != nil {
		return err
	}
	events, direct := follow(ctx, p, string(fsm.NodeDiscovered)), watchService(ctx, addr)
	if _, err := events.await(ctx, sighting{fsm.NodeDiscovered, instance(0)}); err != nil {
		return err
	}
	if !wait(ctx, 5*time.Second) { // the watch of a leader begins with a look at everything
		return context.Cause(ctx)
	}
	took, bare, err := s.register(ctx, addr, events, direct)
	if err != nil {
		return err
	}
	out.spread(figure{Name: "registration to event on a follower", Case: "Consul", Unit: "ms", Goal: "<= 250"}, took)
	out.spread(figure{Name: "baseline: registration to a blocking query", Case: "Consul", Unit: "ms"}, bare)
	return nil
}

func (s *detection) register(ctx context.Context, addr string, events, direct *sightings) (took, bare []float64, err error) {
	step(fmt.Sprintf("registering %d instances", s.registrations))
	for i := range s.registrations {
		id := instance(i + 1)
		began := time.Now()
		if err := register(ctx, addr, id); err != nil {
			return nil, nil, err
		}
		came, err := events.await(ctx, sighting{fsm.NodeDiscovered, id})
		if err != nil {
			return nil, nil, err
		}
		seen, err := direct.await(ctx, sighting{node: id})
		if err != nil {
			return nil, nil, err
		}
		took, bare = append(took, ms(came.Sub(began))), append(bare, ms(seen.Sub(began)))
		if !wait(ctx, registerPause) {
			return nil, nil, context.Cause(ctx)
		}
	}
	return took, bare, nil
}

func ms(d time.Duration) float64 { return 1e3 * d.Seconds() }

func instance(i int) string { return fmt.Sprintf("%s-%d", registered, i) }

func register(ctx context.Context, addr, id string) error {
	return send(ctx, http.MethodPut, "http://"+addr+"/v1/agent/service/register", map[string]any{
		"Name": registered, "ID": id, "Address": "127.0.0.1", "Port": 9, "Tags": []string{"muster"},
	})
}

// watchService follows the instances of the service with blocking queries, until ctx ends.
func watchService(ctx context.Context, addr string) *sightings {
	s := &sightings{mu: sync.Mutex{}, at: map[sighting]time.Time{}}
	go func() {
		for index := "0"; ctx.Err() == nil; {
			ids, next, err := instances(ctx, addr, index)
			if err != nil {
				wait(ctx, registerPause)
				continue
			}
			index = next
			s.mu.Lock()
			for _, id := range ids {
				if key := (sighting{node: id}); s.at[key].IsZero() {
					s.at[key] = time.Now()
				}
			}
			s.mu.Unlock()
		}
	}()
	return s
}

// instances waits until the service has moved past an index.
func instances(ctx context.Context, addr, index string) (ids []string, next string, err error) {
	url := "http://" + addr + "/v1/health/service/" + registered + "?wait=60s&index=" + index
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, "", err
	}
	res, err := client.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = res.Body.Close() }()
	var rows []struct{ Service struct{ ID string } }
	if err := json.NewDecoder(res.Body).Decode(&rows); err != nil {
		return nil, "", err
	}
	for _, row := range rows {
		ids = append(ids, row.Service.ID)
	}
	return ids, res.Header.Get("X-Consul-Index"), nil
}
