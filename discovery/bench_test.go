package discovery_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/musterhq/muster/discovery"
	"github.com/musterhq/muster/fsm"
)

// BenchmarkRun is what a full run of 1,000 services with 100 instances each costs the peer that does it, from what its
// backend read to its last part, with a log that answers at once: the first one, of which everything is new, and one that
// finds nothing new. The parts' own Apply is in it, as every peer has it.
func BenchmarkRun(b *testing.B) {
	source := &catalog{records: instances(1000, 100)}
	b.Run("first", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			b.StopTimer()
			d := newBenchDesk(b, source)
			b.StartTimer()
			d.run()
			b.StopTimer()
			b.ReportMetric(float64(d.parts), "parts")
			b.ReportMetric(float64(d.bytes)/100_000, "B/record")
			d.stop()
			b.StartTimer()
		}
	})
	b.Run("unchanged", func(b *testing.B) {
		d := newBenchDesk(b, source)
		d.run()
		b.ReportAllocs()
		for b.Loop() {
			d.run()
		}
		d.stop()
	})
}

// instances are the records of a catalog, none sharing memory with another.
func instances(services, each int) []fsm.Record {
	var out []fsm.Record
	for s := range services {
		for i := range each {
			out = append(out, fsm.Record{
				Node: fmt.Sprintf("service-%04d-%02d", s, i), Address: fmt.Sprintf("10.%d.%d.%d", s>>8, s&255, i), Port: 6379,
				Service: fmt.Sprintf("service-%04d", s), Datacenter: "dc1", Tags: []string{"muster"},
				Meta: map[string]string{"zone": "z1"}, Labels: map[string]string{"zone": "z1"},
				Source: fmt.Sprintf("consul service service-%04d on host-%d", s, i),
			})
		}
	}
	return out
}

// catalog is a backend that has its records at hand.
type catalog struct{ records []fsm.Record }

func (c *catalog) open(fsm.JSON, discovery.Env) (discovery.Backend, error) { return c, nil }

// Read is discovery.Backend's.
func (c *catalog) Read(context.Context, discovery.Want) ([]fsm.Record, error) { return c.records, nil }

// benchDesk is a runner with a log of its own.
type benchDesk struct {
	b      *testing.B
	state  *fsm.State
	claims chan []*fsm.Claim
	closed chan fsm.Result
	mu     sync.Mutex
	index  uint64
	parts  int
	bytes  int
	stop   func()
}

func newBenchDesk(b *testing.B, source *catalog) *benchDesk {
	b.Helper()
	d := &benchDesk{
		b: b, state: fsm.NewState(), claims: make(chan []*fsm.Claim, 1), closed: make(chan fsm.Result, 1), index: 10,
	}
	d.apply(&fsm.GroupCreate{Group: "g", Epoch: "e"})
	spec := fsm.DefaultSpec()
	spec.Backend = "consul"
	d.apply(&fsm.DiscoveryApply{Name: "d", Spec: spec, Cause: fsm.Cause{Kind: fsm.CauseOperator}})
	r, err := discovery.NewRunner(discovery.RunnerConfig{
		Peer: "a", Claims: d, Log: d, Replica: d, Registerer: prometheus.NewRegistry(),
		Backends: discovery.Backends{"consul": source.open},
	})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	var all sync.WaitGroup
	all.Go(func() {
		if err := r.Run(ctx); err != nil {
			b.Error(err)
		}
	})
	d.stop = func() { cancel(); all.Wait() }
	return d
}

// run does one full run.
func (d *benchDesk) run() {
	d.b.Helper()
	res := d.apply(&fsm.ClaimGrant{Kind: fsm.KindRun, Peer: "a", TTL: fsm.Minute, Reason: fsm.WhyAsked, IDs: []uint64{1}})
	d.claims <- []*fsm.Claim{res.Claim}
	<-d.closed
}

func (d *benchDesk) apply(c fsm.Command) fsm.Result {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.index++
	entry := fsm.Entry(fsm.Time(1_000_000+d.index), fsm.Frame(c))
	a, err := d.state.Apply(d.index, entry)
	if err != nil || a.Results[0].Error != nil {
		d.b.Fatal(err, a.Results[0].Error)
	}
	if _, ok := c.(*fsm.RunComplete); ok {
		d.parts++
		d.bytes += len(entry)
	}
	return a.Results[0]
}

// Propose is discovery.Log's.
func (d *benchDesk) Propose(_ context.Context, c fsm.Command) (fsm.Result, error) {
	res := d.apply(c)
	if res.Closed {
		d.closed <- res
	}
	return res, nil
}

// Read is discovery.Replica's.
func (d *benchDesk) Read() *fsm.Reader { return d.state.Read() }

// WaitIndex is discovery.Replica's.
func (d *benchDesk) WaitIndex(context.Context, uint64) error { return nil }

// Take is discovery.Claims's.
func (d *benchDesk) Take(ctx context.Context) ([]*fsm.Claim, error) {
	select {
	case c := <-d.claims:
		return c, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
