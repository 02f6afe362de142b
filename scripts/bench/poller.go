package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// poller asks nodes with net/http and sends the tags it was given. It keeps a connection to as many nodes as open files
// allow, always the same ones and spread evenly, and dials anew for each poll of the others: the best that a bare client can do.
type poller struct {
	nodes         []*asked
	kept, dialing *http.Client
	polls, errors atomic.Int64
	dialed        atomic.Int64
}

// asked is a node and the tag of its last answer. No two polls of a node are under way at once, but for one that is late.
type asked struct {
	url  string
	keep bool
	tag  atomic.Pointer[string]
}

// spareFiles are open files that are left for polls that dial, and for the process.
const spareFiles = 1024

func newPoller(urls []string, openFiles uint64) *poller {
	p := &poller{}
	room := keepable(len(urls), openFiles)
	for i, u := range urls {
		p.nodes = append(p.nodes, &asked{url: u, keep: i*room/len(urls) < (i+1)*room/len(urls)})
	}
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		p.dialed.Add(1)
		return new(net.Dialer).DialContext(ctx, network, addr)
	}
	that := func(keep bool) *http.Client {
		return &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
			DialContext: dial, DisableCompression: true, DisableKeepAlives: !keep,
			MaxIdleConnsPerHost: 1, IdleConnTimeout: 10 * time.Minute,
		}}
	}
	p.kept, p.dialing = that(true), that(false)
	return p
}

// keepable is how many of these nodes a connection may be kept to.
func keepable(nodes int, openFiles uint64) int {
	if uint64(nodes)+spareFiles <= openFiles {
		return nodes
	}
	return max(0, int(openFiles)-spareFiles)
}

// forget begins to count anew.
func (p *poller) forget() {
	p.polls.Store(0)
	p.errors.Store(0)
	p.dialed.Store(0)
}

func (p *poller) cost() cost {
	return cost{Polls: int(p.polls.Load()), Dialed: int(p.dialed.Load()), Errors: int(p.errors.Load())}
}

// all polls every node once, 64 at a time.
func (p *poller) all(ctx context.Context) {
	var wg sync.WaitGroup
	next := make(chan *asked)
	for range 64 {
		wg.Go(func() {
			for n := range next {
				p.one(ctx, n)
			}
		})
	}
	for _, n := range p.nodes {
		next <- n
	}
	close(next)
	wg.Wait()
}

// paced polls every node once an interval: at each step, those that are due since the last.
func (p *poller) paced(ctx context.Context, a asking, step time.Duration) {
	tick := time.NewTicker(step)
	defer tick.Stop()
	var wg sync.WaitGroup
	defer wg.Wait()
	began, sent := time.Now(), 0
	for at := range tick.C {
		gone := at.Sub(began)
		if gone >= a.Span || ctx.Err() != nil {
			return
		}
		for ; sent < int(float64(len(p.nodes))*gone.Seconds()/a.Interval.Seconds()); sent++ {
			n := p.nodes[sent%len(p.nodes)]
			wg.Go(func() { p.one(ctx, n) })
		}
	}
}

func (p *poller) one(ctx context.Context, n *asked) {
	p.polls.Add(1)
	if err := p.get(ctx, n); err != nil {
		p.errors.Add(1)
	}
}

func (p *poller) get(ctx context.Context, n *asked) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, n.url, nil)
	if err != nil {
		return err
	}
	if tag := n.tag.Load(); tag != nil {
		req.Header.Set("If-None-Match", *tag)
	}
	with := p.dialing
	if n.keep {
		with = p.kept
	}
	res, err := with.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return err
	}
	if tag := res.Header.Get("ETag"); res.StatusCode == http.StatusOK {
		n.tag.Store(&tag)
	}
	return nil
}
