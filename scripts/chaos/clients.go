package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
	"github.com/musterhq/muster/scripts/rig"
)

const (
	callTimeout = 8 * time.Second       // of one call; longer than a leader needs to be replaced
	between     = 20 * time.Millisecond // two calls of one client
)

// clients call peers at random all the while and keep what they were answered.
type clients struct {
	peers    []*rig.Peer
	clusters []string
	began    time.Time
	round    atomic.Int64 // names the registers in use
	value    atomic.Int64 // the last one written
	acked    atomic.Int64 // writes

	mu      sync.Mutex
	history []porcupine.Operation
	refused map[int]bool // values that were surely not written
	fell    []string     // stale reads whose index went back
}

// run lets so many clients call until ctx ends.
func (c *clients) run(ctx context.Context, count int, seed uint64) {
	var all sync.WaitGroup
	for i := range count {
		all.Go(func() {
			one := client{clients: c, id: i, rng: rand.New(rand.NewPCG(seed, uint64(i))), last: map[place]uint64{}}
			tick := time.NewTicker(between)
			defer tick.Stop()
			for ctx.Err() == nil {
				one.call(ctx)
				select {
				case <-ctx.Done():
				case <-tick.C:
				}
			}
		})
	}
	all.Wait()
}

// client is one caller. It has one call under way at a time.
type client struct {
	*clients
	id   int
	rng  *rand.Rand
	last map[place]uint64 // index of the last stale read
}

// place is where stale reads may not go back: a cluster's row at one life of a peer.
type place struct {
	life    *rig.Process
	cluster string
}

func (c *client) call(ctx context.Context) {
	peer := c.peers[c.rng.IntN(len(c.peers))]
	in := input{register: register{
		cluster: c.clusters[c.rng.IntN(len(c.clusters))], name: fmt.Sprintf("r%d", c.round.Load()),
	}}
	switch c.rng.IntN(8) {
	case 0, 1, 2:
		in.verb = read
		c.read(ctx, peer, in)
	case 3:
		c.stale(ctx, peer, in.cluster)
	case 4, 5:
		in.verb = swap
		if at, ok := c.read(ctx, peer, input{register: in.register, verb: read}); ok {
			in.was = at.value
			c.write(ctx, peer, in, &at.index)
		}
	default:
		in.verb = write
		c.write(ctx, peer, in, nil)
	}
}

// found is a register's value and the index of the row it stood in.
type found struct {
	value int
	index uint64
}

func (c *client) read(ctx context.Context, peer *rig.Peer, in input) (found, bool) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	called := time.Since(c.began)
	row, _, err := peer.API.Cluster(ctx, in.cluster, httpd.Read{})
	if err != nil {
		return found{}, false // it says nothing of the register
	}
	got := found{value: valueOf(row.Settings.Vars, in.name), index: row.Index}
	c.keep(called, in, output{value: got.value})
	return got, true
}

func (c *client) write(ctx context.Context, peer *rig.Peer, in input, cas *uint64) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	in.value = int(c.value.Add(1))
	called := time.Since(c.began)
	_, err := peer.API.PatchCluster(ctx, in.cluster, map[string]any{"vars": map[string]int{in.name: in.value}}, cas)
	switch {
	case err == nil:
		c.acked.Add(1)
		c.keep(called, in, output{})
	case surelyNot(err):
		c.mu.Lock()
		defer c.mu.Unlock()
		c.refused[in.value] = true
	default:
		c.keep(called, in, output{unknown: true})
	}
}

// stale reads what the peer itself has.
func (c *client) stale(ctx context.Context, peer *rig.Peer, cluster string) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	at := place{peer.Process, cluster}
	row, _, err := peer.API.Cluster(ctx, cluster, httpd.Read{Stale: true})
	if err != nil {
		return
	}
	if row.Index < c.last[at] {
		c.mu.Lock()
		c.fell = append(c.fell, fmt.Sprintf("%s showed %s at index %d after %d", peer.Name, cluster, row.Index, c.last[at]))
		c.mu.Unlock()
	}
	c.last[at] = row.Index
}

func (c *client) keep(called time.Duration, in input, out output) {
	returned := time.Since(c.began)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.history = append(c.history, porcupine.Operation{
		ClientId: c.id, Input: in, Call: int64(called), Output: out, Return: int64(returned),
	})
}

// surelyNot says whether an error means that nothing was written: the API said so, or no connection came about.
func surelyNot(err error) bool {
	if refusal := (*httpd.StatusError)(nil); errors.As(err, &refusal) {
		return refusal.Refusal.Code != fsm.CodeUnknown && refusal.Refusal.Code != httpd.CodeInternal
	}
	var dial *net.OpError
	return errors.As(err, &dial) && dial.Op == "dial"
}

// valueOf is a number among the variables of a cluster; 0 when it is not there.
func valueOf(vars fsm.JSON, name string) int {
	values := map[string]int{}
	// Nobody but the clients sets variables here, and they set numbers.
	_ = json.Unmarshal([]byte(vars), &values)
	return values[name]
}
