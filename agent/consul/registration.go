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
	}
	r.status = httpd.Registration{Address: r.caller.Name(), Service: c.Service, Tags: []string{}}
	if err := r.measure(reg); err != nil {
		return nil, err
	}
	return r, nil
}

// Close ends the connections.
func (r *Registration) Close() { r.caller.Close() }

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
	put := &kept{entry: entry, renewed: r.caller.Renewed(), read: time.Now()}
	if err := r.feed(ctx, is, put); err != nil {
		return err
	}
	r.kept = put
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
	switch {
	case err != nil && r.Status().At == 0:
		return // most likely nothing was ever there, which was told
	case err != nil:
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
