package refresh

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
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

// WorkerConfig is what a Worker needs. All fields but the limits are required.
type WorkerConfig struct {
	Peer       string // own id: claims that name it are worked on
	Log        Log
	Replica    Replica
	Probers    Probers
	Logger     *slog.Logger
	Registerer prometheus.Registerer

	// MaxPolls bounds the polls at once; the leader's own limit is lower, so that the queue is there. Default 16,384.
	MaxPolls int
}

// Worker does the refreshes whose claims name its peer: it asks the nodes, compares with its replica and completes. Polling
// twice is harmless, since polls only read and the token fences what is reported.
type Worker struct {
	cfg       WorkerConfig
	queue     queue
	polls     chan struct{} // one token for each poll under way
	askers    askers
	said      saidCache
	unchanged collector
	metrics   workerMetrics
}

// NewWorker makes a worker; nothing runs before Run.
func NewWorker(cfg WorkerConfig) (*Worker, error) {
	if cfg.Peer == "" || cfg.Log == nil || cfg.Replica == nil || cfg.Logger == nil || cfg.Registerer == nil {
		return nil, fmt.Errorf("refresh worker: peer, log, replica, logger and registerer are required")
	}
	if cfg.MaxPolls == 0 {
		cfg.MaxPolls = 16_384
	}
	w := &Worker{cfg: cfg, polls: make(chan struct{}, cfg.MaxPolls), queue: newQueue()}
	w.askers.probers = cfg.Probers
	w.unchanged = newCollector(cfg.Log, cfg.Logger)
	var err error
	w.metrics, err = newWorkerMetrics(cfg.Registerer, func() float64 { return float64(len(w.polls)) })
	return w, err
}

// Offer hands over claims that an applied entry granted. It never blocks; those of other peers and of runs are passed over.
// What is offered before Run is found in the state by Run.
func (w *Worker) Offer(claims []*fsm.Claim) {
	for _, c := range claims {
		if c.Peer == w.cfg.Peer && c.Subject.Kind == fsm.KindRefresh {
			w.queue.put(c)
		}
	}
}

// Polls is how many polls are under way.
func (w *Worker) Polls() int { return len(w.polls) }

// Run takes up the open claims that name this peer, then works on what is offered until ctx ends; it then stops its polls
// and gives its claims back. It is called once the replica has caught up, so that no ghost of an old claim is polled while
// the log replays.
func (w *Worker) Run(ctx context.Context) error {
	var work sync.WaitGroup
	defer w.askers.close()
	collect := make(chan struct{})
	go func() {
		defer close(collect)
		w.unchanged.run(ctx)
	}()
	w.queue.reset()
	for c := range w.cfg.Replica.Read().ClaimsOf(w.cfg.Peer) {
		if c.Subject.Kind == fsm.KindRefresh {
			w.queue.put(c)
		}
	}
	sweep := time.NewTicker(time.Minute)
	defer sweep.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-sweep.C:
			w.askers.sweep()
			w.said.sweep()
		case <-w.queue.ready:
			for _, c := range w.queue.take() {
				work.Go(func() { w.refresh(ctx, c) })
			}
		}
	}
	work.Wait()
	<-collect
	w.giveBack(ctx)
	return nil
}

// giveBack abandons what is still open, so that nobody waits for its ttl.
func (w *Worker) giveBack(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	abandon := &fsm.ClaimAbandon{Error: "the peer is stopping"}
	for c := range w.cfg.Replica.Read().ClaimsOf(w.cfg.Peer) {
		if c.Subject.Kind == fsm.KindRefresh {
			abandon.Claims = append(abandon.Claims, c.Ticket())
		}
	}
	if len(abandon.Claims) == 0 {
		return
	}
	if _, err := w.cfg.Log.Propose(ctx, abandon); err != nil {
		w.cfg.Logger.Warn("claims were not given back, their ttl will free them", "claims", len(abandon.Claims), "error", err)
	}
}

// refresh does one claim from its first poll to its completion.
func (w *Worker) refresh(ctx context.Context, claim *fsm.Claim) {
	began := time.Now()
	ctx, cancel := context.WithTimeoutCause(ctx, claim.TTL.Std(), fmt.Errorf("the claim's ttl of %s is over", claim.TTL))
	defer cancel()
	r := w.cfg.Replica.Read()
	cluster := r.ClusterByID(claim.Subject.ID)
	if open := r.Claim(claim.Subject); cluster == nil || open == nil || open.Token != claim.Token {
		return
	}
	round := w.ask(ctx, r, cluster, claim)
	if ctx.Err() != nil {
		return
	}
	round.took = fsm.DurationOf(time.Since(began))
	w.complete(ctx, claim, round)
	w.metrics.rounds.Observe(time.Since(began).Seconds())
}
