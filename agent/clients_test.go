package agent

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/musterhq/muster/agent/life"
	"github.com/musterhq/muster/agent/memnet"
	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

// clients write, read and follow events over the API of any peer, all the while.
type clients struct {
	net *memnet.Network

	mu        sync.Mutex
	rand      *rand.Rand
	hosts     []string
	registers map[string]*register
	firstAck  map[time.Time]time.Time // since a moment, when a write begun after it was first acknowledged
	faults    []string
	streams   map[uint64]telling
	followed  map[string]uint64
	reads     int
	resumed   int
}

// register is a label of a cluster that one client writes, a higher number each time.
type register struct {
	acked   []int
	unknown map[int]bool
	last    int // tried
}

// telling is an event as the first follower was told it.
type telling struct {
	at      fsm.Time
	kind    fsm.EventType
	cluster string
	node    string
	shard   string
}

const onCluster = "c00" // which is always listed

func newClients(n *memnet.Network, seed uint64) *clients {
	return &clients{
		net: n, rand: rand.New(rand.NewPCG(seed, 2)), registers: map[string]*register{}, firstAck: map[time.Time]time.Time{},
		streams: map[uint64]telling{}, followed: map[string]uint64{},
	}
}

func (c *clients) faultf(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.faults) < 20 {
		c.faults = append(c.faults, fmt.Sprintf(format, args...))
	}
}

// start runs the clients until ctx ends; it returns what waits for their end.
func (c *clients) start(ctx context.Context) (wait func()) {
	var all sync.WaitGroup
	for i := range 2 {
		all.Go(func() { c.write(ctx, fmt.Sprintf("w%d", i)) })
		all.Go(func() { c.follow(ctx, fmt.Sprintf("f%d", i)) })
	}
	all.Go(func() { c.read(ctx) })
	return all.Wait
}

// reach says where the peers are.
func (c *clients) reach(hosts []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hosts = hosts
}

// since has the first write that begins now, and is acknowledged, taken down.
func (c *clients) since(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.firstAck[now] = time.Time{}
}

// acknowledged is when the first write after a moment was, zero while none is.
func (c *clients) acknowledged(since time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.firstAck[since]
}

// client is one of some peer, and what gives its connections free.
func (c *clients) client() (*httpd.Client, func()) {
	c.mu.Lock()
	host := c.hosts[c.rand.IntN(len(c.hosts))]
	c.mu.Unlock()
	transport := &http.Transport{DialContext: c.net.DialFrom("127.0.9.1")}
	client, err := httpd.NewClient(httpd.ClientConfig{Address: host + ":8650", HTTP: &http.Client{Transport: transport}})
	if err != nil {
		panic(err)
	}
	return client, transport.CloseIdleConnections
}

func (c *clients) within(least, most time.Duration) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return least + time.Duration(c.rand.Int64N(int64(most-least)))
}

// write writes a register, one number after the other.
func (c *clients) write(ctx context.Context, name string) {
	r := &register{unknown: map[int]bool{}}
	c.mu.Lock()
	c.registers[name] = r
	c.mu.Unlock()
	for n := 1; life.Pause(ctx, c.within(time.Second, 3*time.Second)); n++ {
		c.mu.Lock()
		r.last = n
		r.unknown[n] = true
		c.mu.Unlock()
		client, done := c.client()
		began := time.Now()
		trying, cancel := context.WithTimeout(ctx, 5*time.Second)
		_, err := client.PatchCluster(trying, onCluster, map[string]any{"labels": map[string]string{name: strconv.Itoa(n)}}, nil)
		cancel()
		done()
		if err == nil {
			c.acked(r, n, began)
		}
	}
}

func (c *clients) acked(r *register, n int, began time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(r.unknown, n)
	r.acked = append(r.acked, n)
	for since, first := range c.firstAck {
		if first.IsZero() && !began.Before(since) {
			c.firstAck[since] = time.Now()
		}
	}
}

// read reads all registers, linearizably: none is older than what had been acknowledged when the read began, unless it is
// one of the writes whose outcome nobody knows.
func (c *clients) read(ctx context.Context) {
	for life.Pause(ctx, c.within(500*time.Millisecond, 2*time.Second)) {
		least := map[string]int{}
		c.mu.Lock()
		for name, r := range c.registers {
			if n := len(r.acked); n > 0 {
				least[name] = r.acked[n-1]
			}
		}
		c.mu.Unlock()
		client, done := c.client()
		trying, cancel := context.WithTimeout(ctx, 5*time.Second)
		row, _, err := client.Cluster(trying, onCluster, httpd.Read{})
		cancel()
		done()
		if err == nil {
			c.judge(least, row.Labels)
		}
	}
}

func (c *clients) judge(least map[string]int, labels map[string]string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reads++
	for name, r := range c.registers {
		n, _ := strconv.Atoi(labels[name])
		if n < least[name] && !r.unknown[n] {
			c.faults = append(c.faults, fmt.Sprintf("%s reads as %q, after %d was acknowledged", name, labels[name], least[name]))
		}
	}
}

// errEnough: a follower goes to another peer.
var errEnough = errors.New("enough of this peer")

// follow follows all events, at one peer after the other: each comes once, in order, and every follower is told the same.
func (c *clients) follow(ctx context.Context, name string) {
	cursor := ""
	for life.Pause(ctx, c.within(50*time.Millisecond, 500*time.Millisecond)) {
		client, done := c.client()
		leave, cancel := context.WithTimeout(ctx, c.within(5*time.Second, 90*time.Second))
		err := client.Follow(leave, httpd.EventsQuery{After: cursor}, func(e httpd.Event) error {
			cursor = e.Cursor
			if cursor == "" {
				cursor = fmt.Sprintf("%s:%d", e.Epoch, e.Seq)
			}
			return c.told(name, e)
		})
		cancel()
		done()
		c.mu.Lock()
		c.resumed++
		c.mu.Unlock()
		if errors.Is(err, fsm.ErrGone) {
			c.faultf("%s, at %s: %v", name, cursor, err)
			return
		}
	}
}

func (c *clients) told(name string, e httpd.Event) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if want := c.followed[name] + 1; e.Seq != want {
		c.faults = append(c.faults, fmt.Sprintf("%s is told event %d instead of %d", name, e.Seq, want))
		return errEnough
	}
	c.followed[name] = e.Seq
	got := telling{e.Time, e.Type, e.Cluster, e.Node, e.Shard}
	if was, ok := c.streams[e.Seq]; ok && was != got {
		c.faults = append(c.faults, fmt.Sprintf("%s is told event %d as %v, another as %v", name, e.Seq, got, was))
	}
	c.streams[e.Seq] = got
	return nil
}
