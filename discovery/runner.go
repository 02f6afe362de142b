package discovery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/musterhq/muster/fsm"
)

const (
	maxRuns    = 4                // runs of this peer at once
	runTimeout = 60 * time.Second // of one read; the claim's ttl is longer
	maxPart    = 64 << 10         // bytes of one part
)

// Log takes commands to the leader, wherever it is, and brings their results. An error is a *fsm.Error: unavailable when it
// surely was not applied, unknown when it may have been.
type Log interface {
	Propose(ctx context.Context, c fsm.Command) (fsm.Result, error)
}

// Replica is the runner's own copy of the state.
type Replica interface {
	Read() *fsm.Reader
	// WaitIndex returns once the replica has applied the entry of that index.
	WaitIndex(ctx context.Context, index uint64) error
}

// Claims brings the claims of runs that are granted to this peer. Take waits for some; its error is that of ctx.
type Claims interface {
	Take(ctx context.Context) ([]*fsm.Claim, error)
}

// RunnerConfig is what a Runner needs; all fields but Now and Tracer are required.
type RunnerConfig struct {
	Peer       string // own id
	Claims     Claims
	Log        Log
	Replica    Replica
	Backends   Backends
	Env        Env
	Registerer prometheus.Registerer

	Now func() time.Time // by which runs are timed; default time.Now

	Tracer Tracer // nil follows nothing
}

// Runner does the runs whose claims are granted to its peer, and watches the sources that this peer is to watch.
type Runner struct {
	cfg     RunnerConfig
	log     *slog.Logger
	opened  opened
	nudges  nudgedBy
	metrics runnerMetrics
}

// NewRunner makes a runner; nothing runs before Run.
func NewRunner(cfg RunnerConfig) (*Runner, error) {
	if cfg.Peer == "" || cfg.Claims == nil || cfg.Log == nil || cfg.Replica == nil || cfg.Registerer == nil {
		return nil, errors.New("discovery runner: peer, claims, log, replica and registerer are required")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	metrics, err := newRunnerMetrics(cfg.Registerer)
	r := &Runner{cfg: cfg, log: cfg.Env.Logger(), metrics: metrics}
	r.opened.make = func(spec fsm.Spec) (Backend, error) { return cfg.Backends.Make(spec, cfg.Env) }
	return r, err
}

// Run works on the claims that come, and watches, until ctx ends; it returns when all it started has ended.
func (r *Runner) Run(ctx context.Context) error {
	var work sync.WaitGroup
	defer r.opened.close(r.log)
	defer work.Wait()
	work.Go(func() { r.watch(ctx) })
	places := make(chan struct{}, maxRuns)
	for {
		claims, err := r.cfg.Claims.Take(ctx)
		if err != nil {
			return nil
		}
		for _, c := range claims {
			work.Go(func() {
				select {
				case places <- struct{}{}:
					defer func() { <-places }()
					r.Do(ctx, c)
				case <-ctx.Done():
				}
			})
		}
	}
}

// Do does one claim from its read to its last part. It waits only in the backend, the log and the replica, so that a
// simulation which brings its own can do claims one by one; Run does all that come.
func (r *Runner) Do(ctx context.Context, claim *fsm.Claim) {
	began := r.cfg.Now()
	ctx, cancel := context.WithTimeoutCause(ctx, 10*time.Minute, errors.New("the run took longer than 10m"))
	defer cancel()
	read := r.cfg.Replica.Read()
	d := read.DiscoveryByID(claim.Subject.ID)
	if open := read.Claim(claim.Subject); d == nil || open == nil || open.Token != claim.Token {
		return
	}
	run := &run{claim: claim, discovery: d, outcome: &fsm.RunOutcome{}}
	ctx, step := r.follow(ctx, run)
	defer func() { step.Set("muster.outcome", run.word()); step.End(nil) }()
	if err := r.collect(ctx, run); err != nil {
		if ctx.Err() != nil {
			return
		}
		run.outcome.Error = fsm.FailureText(err)
		r.log.Warn("run failed", "discovery", d.Name, "error", run.outcome.Error)
	}
	run.outcome.Took = fsm.DurationOf(r.cfg.Now().Sub(began))
	err := r.report(ctx, run)
	if claim.Reason == fsm.WhyNudge && (err != nil || run.outcome.Error != "") {
		r.nudges.giveBack(claim.Subject.ID, claim.Names)
	}
	if err != nil {
		r.log.Debug("run was not accepted", "discovery", d.Name, "token", claim.Token, "error", err)
	}
	r.log.Debug("run ended", "discovery", d.Name, "reason", claim.Reason, "outcome", run.word(), "took", run.outcome.Took.String())
	r.metrics.runs.WithLabelValues(run.word()).Inc()
	r.metrics.seconds.Observe(r.cfg.Now().Sub(began).Seconds())
}

// collect reads what the claim asks for and judges the whole of it, before the first part.
func (r *Runner) collect(ctx context.Context, run *run) error {
	if run.discovery.Deleting {
		run.pending = vanished(owned(r.cfg.Replica.Read(), run.discovery.ID), nil)
		return nil
	}
	records, err := r.read(ctx, run.discovery.Spec, Want{Names: run.claim.Names})
	if err != nil {
		return err
	}
	run.take(r.cfg.Replica.Read(), records)
	return nil
}

// read reads a source and shapes its records.
func (r *Runner) read(ctx context.Context, spec fsm.Spec, want Want) ([]fsm.Record, error) {
	shape, err := Shape(spec)
	if err != nil {
		return nil, err
	}
	backend, done, err := r.opened.use(spec)
	if err != nil {
		return nil, err
	}
	defer done()
	ctx, cancel := context.WithTimeoutCause(ctx, runTimeout, fmt.Errorf("the source took longer than %s", runTimeout))
	defer cancel()
	ctx, step := r.step(ctx, "read")
	records, err := backend.Read(ctx, want)
	step.Count("muster.records", len(records))
	step.End(err)
	if err != nil {
		return nil, err
	}
	return shape(records)
}

type runnerMetrics struct {
	runs    *prometheus.CounterVec
	nudges  prometheus.Counter
	seconds prometheus.Histogram
}

func newRunnerMetrics(reg prometheus.Registerer) (runnerMetrics, error) {
	m := runnerMetrics{
		runs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "muster_discovery_runs_total", Help: "Runs by result: changed, unchanged, held, failed.",
		}, []string{"result"}),
		nudges: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "muster_discovery_nudges_total", Help: "Times a watch saw something move.",
		}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "muster_discovery_run_duration_seconds", Help: "From a run's first read to its last part.",
			Buckets: []float64{0.01, 0.05, 0.25, 1, 5, 15, 60},
		}),
	}
	for _, c := range []prometheus.Collector{m.runs, m.nudges, m.seconds} {
		if err := reg.Register(c); err != nil {
			return m, err
		}
	}
	return m, nil
}
