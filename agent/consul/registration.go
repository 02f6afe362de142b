package consul

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/consul/api"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/musterhq/muster/discovery"
	source "github.com/musterhq/muster/discovery/consul"
	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

const (
	lookEach  = time.Second      // at the peer
	readEach  = time.Minute      // what Consul has of it
	tellWait  = 5 * time.Second  // for one call
	endWait   = 2 * time.Second  // for the last one
	retryMax  = 10 * time.Second // between two tries that fail
	forgotten = 24 * time.Hour   // critical for so long, an instance is deregistered by Consul, as gossip forgets the departed
)

// Registration keeps the entry of a peer in Consul as the peer is.
type Registration struct {
	cfg    Config
	caller *source.Caller
	say    func() (Instance, bool)
	log    *slog.Logger

	id   string // of what Consul may have; "" before anything was told
	kept *kept  // nil when it is not known what Consul has
	next time.Time
	wait time.Duration

	mu       sync.Mutex
	status   httpd.Registration
	failures prometheus.Counter
}

// kept is what was last told to Consul, and when.
type kept struct {
	entry   *api.AgentServiceRegistration
	unready string
	renewed uint64 // tokens before the one it was told with, which Consul keeps for it
	fed     time.Time
	read    time.Time
}

// NewRegistration makes a registration, which touches neither disk nor network yet. What the peer is, it is told by say,
// once a second; it waits while say knows nothing.
func NewRegistration(c Config, env discovery.Env, say func() (Instance, bool), reg prometheus.Registerer) (*Registration, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	c = c.withDefaults()
	r := &Registration{
		cfg: c, say: say, log: env.Logger(),
		caller: c.caller(env, fmt.Sprintf("service %q {policy = \"write\"}", c.Service)),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "muster_consul_failures_total", Help: "Times that Consul was not told how this peer is.",
		}),
	}
	registered := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "muster_consul_registered", Help: "1 while this peer is registered in Consul.",
	}, func() float64 {
		if r.Status().Registered {
			return 1
		}
		return 0
	})
	if err := errors.Join(reg.Register(registered), reg.Register(r.failures)); err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	return r, nil
}

// Close ends the connections.
func (r *Registration) Close() { r.caller.Close() }

// Status is how it stands; any goroutine may ask.
func (r *Registration) Status() httpd.Registration {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.status
	s.Tags = slices.Clone(s.Tags)
	return s
}

// Run keeps the entry until ctx ends, and leaves it as it is then: Withdraw or Fail is the last word. What Consul says or
// does not say ends nothing.
func (r *Registration) Run(ctx context.Context) error {
	look := time.NewTicker(lookEach)
	defer look.Stop()
	for {
		if is, known := r.say(); known && !time.Now().Before(r.next) {
			r.note(ctx, is, r.keep(ctx, is))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-look.C:
		}
	}
}

// keep tells Consul what it does not know yet, or may have forgotten.
func (r *Registration) keep(ctx context.Context, is Instance) error {
	if r.kept == nil || r.kept.renewed != r.caller.Renewed() || !same(r.kept.entry, is.entry(&r.cfg)) {
		return r.register(ctx, is)
	}
	now := time.Now()
	if now.Sub(r.kept.read) >= readEach {
		has, err := r.has(ctx)
		if err != nil {
			return err
		}
		if !has {
			return r.register(ctx, is)
		}
		r.kept.read = now
	}
	if is.Unready == r.kept.unready && now.Sub(r.kept.fed) < r.cfg.TTL/3 {
		return nil
	}
	if err := r.feed(ctx, is, r.kept); !answered(err) {
		return err
	}
	return r.register(ctx, is) // which Consul has forgotten, or it says what is wrong
}

// register puts the whole entry, and how the peer is: an entry that was there keeps its check's status.
func (r *Registration) register(ctx context.Context, is Instance) error {
	entry := is.entry(&r.cfg)
	r.id, r.kept = entry.ID, nil
	_, err := told(ctx, r, func(to *api.Client, o *api.QueryOptions) (struct{}, error) {
		return struct{}{}, to.Agent().ServiceRegisterOpts(entry, api.ServiceRegisterOpts{Token: o.Token}.WithContext(o.Context()))
	})
	if err != nil {
		return fmt.Errorf("register %s: %w", entry.ID, err)
	}
	told := &kept{entry: entry, renewed: r.caller.Renewed(), read: time.Now()}
	if err := r.feed(ctx, is, told); err != nil {
		return err
	}
	r.kept = told
	return nil
}

// feed says how the peer is.
func (r *Registration) feed(ctx context.Context, is Instance, to *kept) error {
	status, output := is.health()
	if err := r.set(ctx, is.serviceID(), status, output); err != nil {
		return fmt.Errorf("feed the check of %s: %w", is.serviceID(), err)
	}
	to.fed, to.unready = time.Now(), is.Unready
	return nil
}

func (r *Registration) set(ctx context.Context, id, status, output string) error {
	_, err := told(ctx, r, func(to *api.Client, o *api.QueryOptions) (struct{}, error) {
		return struct{}{}, to.Agent().UpdateTTLOpts(checkOf(id), output, status, o)
	})
	return err
}

// has says whether Consul has the entry as it was told.
func (r *Registration) has(ctx context.Context) (bool, error) {
	want := r.kept.entry
	got, err := told(ctx, r, func(to *api.Client, o *api.QueryOptions) (*api.AgentService, error) {
		got, _, err := to.Agent().Service(want.ID, o)
		return got, err
	})
	switch {
	case answered(err):
		return false, nil // registering says what is wrong
	case err != nil:
		return false, fmt.Errorf("read %s: %w", want.ID, err)
	}
	return got != nil && same(want, &api.AgentServiceRegistration{
		ID: got.ID, Name: got.Service, Tags: got.Tags, Meta: got.Meta, Address: got.Address, Port: got.Port,
	}), nil
}

// Withdraw deregisters the peer, unless Consul never was told of it.
func (r *Registration) Withdraw(ctx context.Context) {
	if r.id == "" {
		return
	}
	ctx, cancel := within(ctx, endWait)
	defer cancel()
	_, err := told(ctx, r, func(to *api.Client, o *api.QueryOptions) (struct{}, error) {
		return struct{}{}, to.Agent().ServiceDeregisterOpts(r.id, o)
	})
	if err != nil {
		r.log.Warn("peer was not deregistered in Consul", "id", r.id, "error", err)
		return
	}
	r.log.Info("peer deregistered in Consul", "id", r.id)
}

// Fail makes the peer critical in Consul, and says why.
func (r *Registration) Fail(ctx context.Context, why error) {
	if r.id == "" {
		return
	}
	ctx, cancel := within(ctx, endWait)
	defer cancel()
	if err := r.set(ctx, r.id, api.HealthCritical, "The peer has ended: "+why.Error()); err != nil {
		r.log.Warn("consul was not told that this peer failed", "id", r.id, "error", err)
	}
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

// within bounds the time of one call.
func within(ctx context.Context, wait time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, wait, fmt.Errorf("no answer within %s", wait))
}

// told puts a call of the agent of Consul.
func told[T any](ctx context.Context, r *Registration, put func(*api.Client, *api.QueryOptions) (T, error)) (T, error) {
	ctx, cancel := within(ctx, tellWait)
	defer cancel()
	answer, err := source.Tell(ctx, r.caller, put)
	if err != nil {
		err = fmt.Errorf("consul at %s: %w", r.caller.Name(), err)
	}
	return answer, err
}

// answered says whether an error is Consul's own word.
func answered(err error) bool {
	var status api.StatusError
	return errors.As(err, &status)
}

// same compares what Consul keeps of an instance.
func same(a, b *api.AgentServiceRegistration) bool {
	return a.ID == b.ID && a.Name == b.Name && a.Address == b.Address && a.Port == b.Port &&
		slices.Equal(a.Tags, b.Tags) && maps.Equal(a.Meta, b.Meta)
}
