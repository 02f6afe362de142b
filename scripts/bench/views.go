package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

// views walks through the clusters in the order of their names, past each that has a healthy view: waiting for all of them
// so costs the peers little more than listing them once.
type views struct {
	api   *httpd.Client
	seen  int
	after string
}

// more goes on from where it was. It is true once so many clusters were seen.
func (v *views) more(ctx context.Context, want int) (bool, error) {
	for {
		page, err := v.api.Clusters(ctx, httpd.List{Read: httpd.Read{Stale: true}, Limit: 100, After: v.after})
		if err != nil {
			return false, err
		}
		for _, c := range page.Rows {
			if c.Health != fsm.HealthHealthy {
				return false, nil
			}
		}
		if page.Next == "" {
			all := v.seen+len(page.Rows) >= want
			v.seen, v.after = 0, "" // those that are missing may come before those that were seen
			return all, nil
		}
		v.seen, v.after = v.seen+len(page.Rows), page.Next
	}
}

// viewed waits until a discovery has listed a fleet and every cluster has been asked once, looking once a second.
func (g *group) viewed(ctx context.Context, f *fleet) error {
	api := g.Running()[0].API
	v := views{api: api}
	for listed := false; ; {
		if !listed {
			d, _, err := api.Discovery(ctx, "fleet", httpd.Read{})
			if err != nil && !errors.Is(err, fsm.ErrUnavailable) { // a machine that is loading may keep a leader from being heard
				return err
			}
			listed = err == nil && d.LastRun.Records >= f.size()
		}
		if listed {
			if all, err := v.more(ctx, f.clusters); all || err != nil {
				return err
			}
		}
		if !wait(ctx, time.Second) {
			return fmt.Errorf("waited for the first views: listed %t, the first %d of %d clusters were seen healthy",
				listed, v.seen, f.clusters)
		}
	}
}

// firstRun is how long the oldest run of the discovery took that is remembered.
func (g *group) firstRun(ctx context.Context) (time.Duration, error) {
	past, _, err := g.Running()[0].API.DiscoveryHistory(ctx, "fleet", httpd.Read{Stale: true})
	if err != nil || len(past) == 0 {
		return 0, err
	}
	first := past[0]
	for _, w := range past {
		if w.At.Std().Before(first.At.Std()) {
			first = w
		}
	}
	return first.Took.Std(), nil
}

// trimmed waits until the events of loading that are too many to keep are gone: to drop them writes hundreds of entries, once.
func (g *group) trimmed(ctx context.Context) error {
	leader, err := g.Leader(ctx)
	if err != nil {
		return err
	}
	settings, _, err := leader.API.Settings(ctx, httpd.Read{})
	if err != nil {
		return err
	}
	for before := uint64(0); ; {
		oldest, err := leader.API.Events(ctx, httpd.EventsQuery{}, 1)
		if err != nil {
			return err
		}
		r, err := g.read(ctx, leader)
		if err != nil {
			return err
		}
		first := oldest.Rows[0].Seq
		last := r.sum("muster_agent_events_seq") / float64(len(g.Running()))
		if first == before && last-float64(first) <= 1.1*float64(settings.Retention.Events) {
			return nil
		}
		before = first
		if !wait(ctx, time.Second) {
			return context.Cause(ctx)
		}
	}
}
