package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"

	httpd "github.com/musterhq/muster/http"
	"github.com/musterhq/muster/scripts/rig"
)

// writers write to one peer, each what is its own, all at once and as fast as they can.
type writers struct {
	cancel context.CancelFunc
	done   sync.WaitGroup
	acked  []atomic.Int64 // the last number that each had acknowledged
	failed []error        // what each ended with
}

// writing starts writers; each counts from 1 and ends with the first write that fails.
func (w *world) writing(
	ctx context.Context, p *rig.Peer, count int, write func(ctx context.Context, api *httpd.Client, i, n int) error,
) *writers {
	w.Helper()
	api, err := httpd.NewClient(httpd.ClientConfig{
		Address: p.HTTP, HTTP: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: count}},
	})
	w.must(err)
	all := &writers{acked: make([]atomic.Int64, count), failed: make([]error, count)}
	ctx, all.cancel = context.WithCancel(ctx)
	for i := range count {
		all.done.Go(func() {
			for n := 1; ctx.Err() == nil; n++ {
				if err := write(ctx, api, i, n); err != nil {
					all.failed[i] = err
					return
				}
				all.acked[i].Store(int64(n))
			}
		})
	}
	return all
}

// stop lets the writers end.
func (a *writers) stop() {
	a.cancel()
	a.done.Wait()
}

// wrong is what ended writers before they were stopped.
func (a *writers) wrong() error {
	var all []error
	for i, err := range a.failed {
		if err != nil && !errors.Is(err, context.Canceled) {
			all = append(all, fmt.Errorf("writer %d: %w", i, err))
		}
	}
	return errors.Join(all...)
}
