package main

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

// operators move nodes into maintenance and back, over the API of all peers: a cause of events whose rate is known. One node
// of each cluster stays, so that no health follows.
type operators struct {
	peers    []*httpd.Client
	clusters [][]string // the nodes that are moved, as cluster/id

	mu   sync.Mutex
	away map[string]bool // those in maintenance
	next int
}

const writers = 16 // at once

// hire makes operators of a group's nodes.
func hire(ctx context.Context, g *group) (*operators, error) {
	o := &operators{away: map[string]bool{}}
	keep := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: writers}}
	for _, p := range g.Running() {
		c, err := httpd.NewClient(httpd.ClientConfig{Address: p.HTTP, HTTP: keep})
		if err != nil {
			return nil, err
		}
		o.peers = append(o.peers, c)
	}
	rows, err := httpd.All(ctx, httpd.List{Limit: 1000}, o.peers[0].Nodes)
	if err != nil {
		return nil, err
	}
	for i, n := range rows {
		if i == 0 || rows[i-1].Cluster != n.Cluster {
			o.clusters = append(o.clusters, nil)
			continue
		}
		last := len(o.clusters) - 1
		o.clusters[last] = append(o.clusters[last], n.Cluster+"/"+n.ID)
	}
	return o, nil
}

// move moves so many nodes of one cluster after the other to where they are not, and returns how many were moved.
func (o *operators) move(ctx context.Context, clusters, each int) (int, error) {
	t := httpd.Transition{To: fsm.Commissioned}
	o.mu.Lock()
	peer := o.peers[o.next%len(o.peers)]
	for i := range clusters {
		nodes := o.clusters[o.next%len(o.clusters)]
		nodes = nodes[:min(each, len(nodes))]
		o.next++
		if i == 0 && !o.away[nodes[0]] {
			t.To = fsm.Maintenance
		}
		for _, n := range nodes {
			o.away[n] = t.To == fsm.Maintenance
		}
		t.Nodes = append(t.Nodes, nodes...)
	}
	o.mu.Unlock()
	done, err := peer.Transition(ctx, t)
	return len(done.Moved), err
}

// fill makes at least so many events.
func (o *operators) fill(ctx context.Context, events int) error {
	for made := 0; made < events; {
		n, err := o.move(ctx, 50, 9)
		if err != nil {
			return err
		}
		made += n
	}
	return nil
}

// shift is operators at work.
type shift struct {
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu     sync.Mutex
	took   []float64 // milliseconds until a write was answered
	failed int       // writes
}

// work makes events at a rate, until the shift is stopped.
func (o *operators) work(ctx context.Context, c crowd) *shift {
	ctx, cancel := context.WithCancel(ctx)
	s := &shift{cancel: cancel}
	tick := time.NewTicker(time.Second * time.Duration(c.each) / time.Duration(c.rate))
	for range writers {
		s.wg.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
				}
				began := time.Now()
				_, err := o.move(ctx, 1, c.each)
				if ctx.Err() == nil {
					s.note(time.Since(began), err)
				}
			}
		})
	}
	return s
}

func (s *shift) note(took time.Duration, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.took = append(s.took, took.Seconds()*1000)
	if err != nil {
		s.failed++
	}
}

// forget begins to remember times anew.
func (s *shift) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.took, s.failed = nil, 0
}

// stop ends the shift.
func (s *shift) stop() {
	s.cancel()
	s.wg.Wait()
}
