package refresh

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/musterhq/muster/fsm"
)

// Log takes commands to the leader, wherever it is, and brings their results. An error is a *fsm.Error: unavailable when it
// surely was not applied, unknown when it may have been.
type Log interface {
	Propose(ctx context.Context, c fsm.Command) (fsm.Result, error)
}

// Replica is the worker's own copy of the state.
type Replica interface {
	Read() *fsm.Reader
	// WaitIndex returns once the replica has applied the entry of that index.
	WaitIndex(ctx context.Context, index uint64) error
}

// Claims brings the claims that are granted to this peer. Take waits for some; its error is that of ctx.
type Claims interface {
	Take(ctx context.Context) ([]*fsm.Claim, error)
}

// WorkerConfig is what a Worker needs. All fields but the limits, Now and Tracer are required.
type WorkerConfig struct {
	Claims     Claims
	Log        Log
	Replica    Replica
	Probers    Probers
	Logger     *slog.Logger
	Registerer prometheus.Registerer

	// MaxPolls bounds the polls at once. Where the leader may give more (settings.limits.in_flight) the rest waits here, and is
	// counted among the polls that the peer reports. Default 16,384.
	MaxPolls int

	Now func() time.Time // by which rounds are timed; default time.Now

	Tracer Tracer // nil follows nothing
}

// Worker does the refreshes whose claims are granted to its peer: it asks the nodes, compares with its replica and completes. Polling
// twice is harmless, since polls only read and the token fences what is reported.
type Worker struct {
	cfg       WorkerConfig
	polls     chan struct{} // one token for each poll under way
	open      atomic.Int64  // polls under way, and those that wait for a place among them
	askers    askers
	said      saidCache
	late      lateSet
	unchanged collector
	metrics   workerMetrics
}

// NewWorker makes a worker; nothing runs before Run.
func NewWorker(cfg WorkerConfig) (*Worker, error) {
	if cfg.Claims == nil || cfg.Log == nil || cfg.Replica == nil || cfg.Logger == nil || cfg.Registerer == nil {
		return nil, fmt.Errorf("refresh worker: claims, log, replica, logger and registerer are required")
	}
	if cfg.MaxPolls == 0 {
		cfg.MaxPolls = 16_384
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	w := &Worker{cfg: cfg, polls: make(chan struct{}, cfg.MaxPolls)}
	w.unchanged = newCollector(&w.cfg)
	var err error
	w.metrics, err = newWorkerMetrics(cfg.Registerer, func() float64 { return float64(w.Polls()) })
	w.askers.probers = cfg.Probers
	w.askers.probers.Opened = w.metrics.opened
	return w, err
}

// Polls is how many polls are under way or wait for a place among them. The leader leaves room by it.
func (w *Worker) Polls() int { return int(w.open.Load()) }

// Run works on the claims that come until ctx ends, and returns when its polls have ended.
func (w *Worker) Run(ctx context.Context) error {
	var work sync.WaitGroup
	defer w.askers.close()
	defer work.Wait()
	work.Go(func() { w.unchanged.run(ctx) })
	work.Go(func() { w.sweep(ctx) })
	for {
		claims, err := w.cfg.Claims.Take(ctx)
		if err != nil {
			return nil
		}
		for _, c := range claims {
			work.Go(func() { w.refresh(ctx, c) })
		}
	}
}

// sweep lets go of what has not been used for long.
func (w *Worker) sweep(ctx context.Context) {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			w.askers.sweep()
			w.said.sweep()
			r := w.cfg.Replica.Read()
			w.late.sweep(func(cluster uint64) (gone bool) { return r.ClusterByID(cluster) == nil })
		}
	}
}

// refresh does one claim from its first poll to its completion, and stays until all its polls have ended.
func (w *Worker) refresh(ctx context.Context, claim *fsm.Claim) {
	ctx, cancel := context.WithTimeoutCause(ctx, claim.TTL.Std(), fmt.Errorf("the claim's ttl of %s is over", claim.TTL))
	defer cancel()
	round := w.begin(claim)
	if round == nil {
		return
	}
	ctx, step := w.follow(ctx, round)
	defer step.End(nil)
	polls := w.poll(ctx, round)
	if w.end(ctx, round) {
		again := w.poll(ctx, round)
		defer func() { <-again.done }()
		w.end(ctx, round)
	}
	w.metrics.rounds.Observe(w.since(round.began).Seconds())
	w.ended(ctx, round)
	<-polls.done
	w.over(polls)
}

// begin finds out what a claim wants; nil when it is not open any more.
func (w *Worker) begin(claim *fsm.Claim) *round {
	r := w.cfg.Replica.Read()
	cluster := r.ClusterByID(claim.Subject.ID)
	if open := r.Claim(claim.Subject); cluster == nil || open == nil || open.Token != claim.Token {
		return nil
	}
	return w.newRound(r, cluster, claim)
}

// end compares what the polls brought and reports it. True when nodes are to be asked once more before that can be done.
func (w *Worker) end(ctx context.Context, round *round) (again bool) {
	switch {
	case ctx.Err() != nil || w.stillUnchanged(ctx, round):
	case round.forget():
		return true
	default:
		round.took = fsm.DurationOf(w.since(round.began))
		w.complete(ctx, round)
	}
	return false
}

// over takes note of what a round's first polls brought, late ones too, once all of them have ended.
func (w *Worker) over(polls *asking) {
	if polls.round.claim.Full() { // others are not asked by a confirming round
		w.late.note(polls.round.cluster, polls.late)
	}
}

func (w *Worker) since(t time.Time) time.Duration { return w.cfg.Now().Sub(t) }

// stillUnchanged completes a round that was told what the last one was, of a cluster that is still at the version that one
// was compared with: there is no need to look at the view. Its claim keeps the notes as they are.
func (w *Worker) stillUnchanged(ctx context.Context, round *round) bool {
	if !round.unchanged() {
		return false
	}
	r := w.cfg.Replica.Read()
	c, m := r.ClusterByID(round.cluster), r.Meta()
	if c == nil || c.Index != round.version || m.Epoch() != round.epoch {
		return false
	}
	w.said.touch(round.cluster)
	round.took = fsm.DurationOf(w.since(round.began))
	w.standing(ctx, round, m.Index)
	return true
}
