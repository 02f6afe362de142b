package consul

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

// Status is how it stands; any goroutine may ask.
func (r *Registration) Status() httpd.Registration {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.status
	s.Tags = slices.Clone(s.Tags)
	return s
}

// measure registers the metrics.
func (r *Registration) measure(reg prometheus.Registerer) error {
	registered := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "muster_consul_registered", Help: "1 while this peer is registered in Consul.",
	}, func() float64 {
		if r.Status().Registered {
			return 1
		}
		return 0
	})
	r.failures = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "muster_consul_failures_total", Help: "Times that Consul was not told how this peer is.",
	})
	if err := errors.Join(reg.Register(registered), reg.Register(r.failures)); err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	return nil
}

// note remembers how telling went, tells people what is new of it, and says when to try again.
func (r *Registration) note(ctx context.Context, is Instance, err error) {
	if ctx.Err() != nil {
		return
	}
	was := r.Status()
	now := httpd.Registration{Address: r.caller.Name(), Service: r.cfg.Service, ID: is.serviceID(), Registered: err == nil}
	if err == nil {
		now.Tags, now.At, r.wait = r.kept.entry.Tags, fsm.TimeOf(r.kept.fed), 0
	} else {
		now.Error, now.Failures, now.Tags, now.At = err.Error(), was.Failures+1, was.Tags, was.At
		r.kept, r.wait = nil, min(max(2*r.wait, lookEach), retryMax)
		r.failures.Inc()
	}
	r.next = time.Now().Add(r.wait)
	r.mu.Lock()
	r.status = now
	r.mu.Unlock()
	switch {
	case err != nil && now.Error != was.Error:
		r.log.Warn("consul was not told how this peer is; it is tried again and again", "id", now.ID, "error", err)
	case err == nil && !was.Registered:
		r.log.Info("peer registered in Consul", "consul", now.Address, "service", now.Service, "id", now.ID)
	}
}
