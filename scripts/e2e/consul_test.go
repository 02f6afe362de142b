package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"testing"

	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
	"github.com/musterhq/muster/scripts/rig"
)

// register lists a service with an agent of Consul, under its id.
func (w *world) register(consul, service, id, addr string) {
	w.Helper()
	host, digits, err := net.SplitHostPort(addr)
	w.must(err)
	port, err := strconv.Atoi(digits)
	w.must(err)
	w.consul(consul, "register", object{"Name": service, "ID": id, "Address": host, "Port": port, "Tags": []string{"muster"}})
}

// deregister takes a service back by its id.
func (w *world) deregister(consul, id string) {
	w.Helper()
	w.consul(consul, "deregister/"+id, nil)
}

func (w *world) consul(consul, verb string, body any) {
	w.Helper()
	raw, err := json.Marshal(body)
	w.must(err)
	req, err := http.NewRequestWithContext(w.soon(), http.MethodPut, "http://"+consul+"/v1/agent/service/"+verb, bytes.NewReader(raw))
	w.must(err)
	res, err := http.DefaultClient.Do(req)
	w.must(err)
	w.must(res.Body.Close())
	if res.StatusCode != http.StatusOK {
		w.Fatalf("Consul answers %s to %s", res.Status, verb)
	}
}

// TestConsulStops shows that a source which is gone, or has forgotten everything, takes no node away; only an operator who
// releases exactly what was held does.
func TestConsulStops(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	process, consul, err := w.rig.Consul(w.soon())
	w.must(err)
	const services = 12
	for i := range services {
		w.register(consul, service(i), service(i)+"-1", "127.0.0.1:9")
	}
	g := w.group()
	peer := w.follower(g)
	events := w.follow(peer)
	w.apply(peer, "consul", object{
		"backend": "consul", "config": object{"address": consul, "tags": []string{"muster"}},
		"interval": "1s", "missing_after": "1s", "remove_after": "2s", "refresh": object{"enabled": false},
	})
	for i := range services {
		w.await(events, 0, want{fsm.NodeDiscovered, service(i), service(i) + "-1"})
	}

	gone := events.mark()
	process.Kill()
	w.await(events, gone, want{kind: fsm.DiscoveryFailed})
	// By the time of three more runs all would be missing, and removed.
	w.laterRuns(peer, "consul", 3, "failed")
	w.nothingWent(g, events, gone, services)

	empty := events.mark()
	_, err = process.Again()
	w.must(err)
	w.must(rig.ConsulLeads(w.soon(), consul))
	w.await(events, empty, want{kind: fsm.DiscoveryRecovered})
	w.await(events, empty, want{kind: fsm.DiscoveryHeld})
	w.laterRuns(peer, "consul", 4, "")
	w.nothingWent(g, events, gone, services)
	first := w.held(peer, "consul", services)

	// Two come back: what was shown is no longer what is held, and releasing it must fail.
	for i := range 2 {
		w.register(consul, service(i), service(i)+"-1", "127.0.0.1:9")
	}
	second := w.held(peer, "consul", services-2)
	_, err = peer.API.ReleaseHeld(w.soon(), "consul", first.Hash)
	if !errors.Is(err, fsm.ErrConflict) {
		t.Errorf("releasing a set that is no longer held: %v, want a conflict", err)
	}
	w.nothingWent(g, events, gone, services)

	released := events.mark()
	_, err = peer.API.ReleaseHeld(w.soon(), "consul", second.Hash)
	w.must(err)
	w.await(events, released, want{kind: fsm.DiscoveryReleased})
	for i := range services {
		node := service(i) + "-1"
		if i < 2 {
			continue
		}
		w.await(events, released, want{fsm.NodeMissing, service(i), node})
		w.await(events, released, want{fsm.NodeRemoved, service(i), node})
	}
	for i := range 2 {
		w.exactly(0, events, released, want{fsm.NodeMissing, service(i), ""})
	}
	w.until("the two services that came back to be all", func(ctx context.Context) error {
		page, err := peer.API.Clusters(ctx, httpd.List{})
		if err == nil && len(page.Rows) != 2 {
			err = fmt.Errorf("there are %d clusters", len(page.Rows))
		}
		return err
	})
}

func service(i int) string { return fmt.Sprintf("shop-%02d", i) }

// laterRuns waits until a discovery has had so many more runs with an outcome; an empty outcome means any.
func (w *world) laterRuns(p *rig.Peer, name string, n int, outcome string) {
	w.Helper()
	var last fsm.Time
	w.until(fmt.Sprintf("%d runs of %s", n, name), func(ctx context.Context) error {
		d, _, err := p.API.Discovery(ctx, name, httpd.Read{})
		if err != nil {
			return err
		}
		if d.LastRun.At > last && (outcome == "" || d.LastRun.Outcome == outcome) {
			last = d.LastRun.At
			n--
		}
		if n >= 0 {
			return fmt.Errorf("%d are still to come; the last one was %q, %s", n, d.LastRun.Outcome, d.LastRun.Error)
		}
		return nil
	})
}

// held waits until a discovery holds back so many absences.
func (w *world) held(p *rig.Peer, name string, count int) httpd.Held {
	w.Helper()
	var d httpd.DiscoveryRow
	w.until(fmt.Sprintf("%d absences to be held", count), func(ctx context.Context) error {
		var err error
		d, _, err = p.API.Discovery(ctx, name, httpd.Read{})
		if err == nil && (d.Held.Count != count || len(d.Held.Nodes) != count) {
			err = fmt.Errorf("%d are held, %d named", d.Held.Count, len(d.Held.Nodes))
		}
		return err
	})
	return d.Held
}

// nothingWent checks that every node is there and present on every peer, and that no event says otherwise.
func (w *world) nothingWent(g *rig.Group, s *stream, from, nodes int) {
	w.Helper()
	for _, k := range []fsm.EventType{fsm.NodeMissing, fsm.NodeRemoved, fsm.ClusterRemoved, fsm.NodeForgotten} {
		w.exactly(0, s, from, want{kind: k})
	}
	for _, p := range g.Running() {
		page, err := p.API.Nodes(w.soon(), httpd.List{Read: httpd.Read{Stale: true}, Limit: 1000, Filter: `presence == "present"`})
		w.must(err)
		if len(page.Rows) != nodes {
			w.Errorf("%s shows %d nodes as present, want %d", p.Name, len(page.Rows), nodes)
		}
	}
}
