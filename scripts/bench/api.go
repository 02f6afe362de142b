package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	httpd "github.com/musterhq/muster/http"
	"github.com/musterhq/muster/scripts/rig"
)

// apiRate is how many requests a second the readers of the API send together.
const apiRate = 20

// slow is an answer worth a line of its own, to be looked for in the peers' logs.
const slow = 100 * time.Millisecond

// reads are the questions whose answers are timed.
var reads = []struct {
	name, goal string
	ask        func(ctx context.Context, c *httpd.Client) error
}{
	{"/livez, which does nothing", "", func(ctx context.Context, c *httpd.Client) error { // what the machine itself takes
		_, err := c.Live(ctx)
		return err
	}},
	{"page of 100 clusters, stale", "< 50", func(ctx context.Context, c *httpd.Client) error {
		return page(ctx, c, httpd.Read{Stale: true})
	}},
	{"page of 100 clusters", "< 50", func(ctx context.Context, c *httpd.Client) error {
		return page(ctx, c, httpd.Read{})
	}},
	{"one cluster", "", func(ctx context.Context, c *httpd.Client) error {
		_, _, err := c.Cluster(ctx, "fleet-00007", httpd.Read{})
		return err
	}},
}

func page(ctx context.Context, c *httpd.Client, r httpd.Read) error {
	p, err := c.Clusters(ctx, httpd.List{Read: r, Limit: 100})
	if err == nil && len(p.Rows) == 0 {
		err = fmt.Errorf("a page without clusters")
	}
	return err
}

// latencies asks the peers in turn, at an even rate until ctx ends or an answer is an error, whatever earlier answers took.
// It returns the milliseconds of each of reads, from sending until the answer is decoded.
func latencies(ctx context.Context, peers []*rig.Peer) ([][]float64, error) {
	out := make([][]float64, len(reads))
	var mu sync.Mutex
	var first error
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	tick := time.NewTicker(time.Second / apiRate)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			wg.Wait()
			return out, first
		case <-tick.C:
		}
		which, peer := n%len(reads), peers[n/len(reads)%len(peers)]
		wg.Go(func() {
			began := time.Now()
			err := reads[which].ask(ctx, peer.API)
			took := time.Since(began)
			if took > slow && err == nil {
				step(fmt.Sprintf("%s of %s took %d ms", reads[which].name, peer.Name, took.Milliseconds()))
			}
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				out[which] = append(out[which], float64(took.Microseconds())/1000)
			case ctx.Err() == nil && first == nil:
				first = fmt.Errorf("%s of %s: %w", reads[which].name, peer.Name, err)
				cancel()
			}
		})
	}
}
