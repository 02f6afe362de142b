package consul

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/hashicorp/consul/api"
	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"github.com/musterhq/muster/discovery"
	"github.com/musterhq/muster/fsm"
)

const (
	readTimeout = 60 * time.Second // a whole read, under the time a run's claim is good for
	unpaced     = 100              // services read without spreading
	spreadOver  = 30 * time.Second // how long the rest may take at most, and
	leastRate   = 100              // how many go in a second at least
)

// Read reads the selected services, or those of want.Names that are selected.
func (b *backend) Read(ctx context.Context, want discovery.Want) ([]fsm.Record, error) {
	source, err := b.open()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, readTimeout, fmt.Errorf("the read took longer than %s", readTimeout))
	defer cancel()
	r := reading{backend: b, source: source, full: want.Full(), stale: b.settings.Stale && want.Full()}
	records, err := r.run(ctx, want.Names)
	source.adapt(err)
	if err != nil {
		return nil, fmt.Errorf("consul at %s: %w", source.caller.Name(), err)
	}
	return records, nil
}

// reading is one Read under way.
type reading struct {
	backend *backend
	source  *source
	full    bool
	stale   bool
	taken   atomic.Int64
}

func (r *reading) run(ctx context.Context, names []string) ([]fsm.Record, error) {
	if err := r.source.caller.checkToken(ctx); err != nil {
		return nil, err
	}
	selected := &r.backend.selected
	names = slices.DeleteFunc(slices.Clone(names), func(n string) bool { return !selected.service(n) })
	if r.full {
		list, err := r.source.list(ctx, call{timeout: callTimeout, stale: r.stale})
		if err != nil {
			return nil, err
		}
		for name, tags := range list {
			if selected.listed(name, tags) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return r.all(ctx, slices.Compact(names))
}

// all reads services side by side; over unpaced of them are spread, so that a large catalog is no burst on its servers.
func (r *reading) all(ctx context.Context, names []string) ([]fsm.Record, error) {
	pace := rate.NewLimiter(rate.Inf, 0)
	if n := len(names); n > unpaced {
		pace = rate.NewLimiter(rate.Limit(max(leastRate, float64(n)/spreadOver.Seconds())), unpaced)
	}
	found := make([][]fsm.Record, len(names))
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(r.source.width(r.backend.settings.Concurrency))
	var cut error // the limiter gives up before a deadline it cannot meet: what was read by then is a part
	for i, name := range names {
		if cut = pace.Wait(groupCtx); cut != nil {
			break
		}
		group.Go(func() (err error) {
			found[i], err = r.service(groupCtx, name)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if cut != nil {
		return nil, fmt.Errorf("%w: reading %d services takes longer than there is time: %w", context.DeadlineExceeded, len(names), cut)
	}
	return slices.Concat(found...), nil
}

func (r *reading) service(ctx context.Context, name string) ([]fsm.Record, error) {
	instances, _, err := r.source.instances(ctx, name, call{timeout: callTimeout, stale: r.stale})
	if err != nil {
		return nil, err
	}
	if len(instances) == 0 && r.full {
		if instances, err = r.source.confirm(ctx, name); err != nil {
			return nil, err
		}
	}
	if r.taken.Add(int64(len(instances))) > discovery.MaxRecords {
		return nil, fmt.Errorf("the selected services have more than %d instances", discovery.MaxRecords)
	}
	return r.backend.records(instances)
}

// records maps the instances that are selected.
func (b *backend) records(instances []*api.CatalogService) ([]fsm.Record, error) {
	out := make([]fsm.Record, 0, len(instances))
	for _, i := range instances {
		if !b.selected.instance(i.ServiceTags, i.ServiceMeta) {
			continue
		}
		r, err := record(i)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

// list asks for the names of all services with their tags.
func (s *source) list(ctx context.Context, how call) (map[string][]string, error) {
	list, _, err := s.listAt(ctx, how)
	return list, err
}

func (s *source) listAt(ctx context.Context, how call) (map[string][]string, *api.QueryMeta, error) {
	list, meta, err := ask(ctx, s.caller, how, func(c *api.Client, o *api.QueryOptions) (map[string][]string, *api.QueryMeta, error) {
		return c.Catalog().Services(o)
	})
	if err == nil && list == nil {
		err = errors.New("the answer is null")
	}
	if err != nil {
		return nil, nil, fmt.Errorf("listing services: %w", err)
	}
	return list, meta, nil
}

// instances asks for the instances of a service; Consul also gives those of names that differ in case only.
func (s *source) instances(ctx context.Context, name string, how call) ([]*api.CatalogService, *api.QueryMeta, error) {
	all, meta, err := ask(ctx, s.caller, how, func(c *api.Client, o *api.QueryOptions) ([]*api.CatalogService, *api.QueryMeta, error) {
		return c.Catalog().Service(name, "", o)
	})
	if err == nil && (all == nil || slices.Contains(all, nil)) {
		err = errors.New("the answer holds null")
	}
	if err != nil {
		return nil, nil, fmt.Errorf("reading service %q: %w", name, err)
	}
	return slices.DeleteFunc(all, func(i *api.CatalogService) bool { return i.ServiceName != name }), meta, nil
}

// confirm asks the leader about a service that was listed and had no instances. It may just have gone; if it is still
// listed, its nodes are kept from us, and what we have is a part.
func (s *source) confirm(ctx context.Context, name string) ([]*api.CatalogService, error) {
	instances, _, err := s.instances(ctx, name, call{timeout: callTimeout})
	if err != nil || len(instances) > 0 {
		return instances, err
	}
	list, err := s.list(ctx, call{timeout: callTimeout})
	if err != nil {
		return nil, err
	}
	if _, listed := list[name]; listed {
		return nil, fmt.Errorf("service %q is listed but none of its instances may be seen; give the token %s", name, rights)
	}
	return nil, nil
}

// sortedNames are the keys of a list.
func sortedNames(list map[string][]string) []string { return slices.Sorted(maps.Keys(list)) }
