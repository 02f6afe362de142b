package trace

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	sdk "go.opentelemetry.io/otel/sdk/trace"
)

const (
	maxQueued = 4096 // spans that wait to be sent; further ones are dropped
	maxBatch  = 512
	sendEvery = 2 * time.Second
	sendWait  = 10 * time.Second // of one batch, tries included
	stopWait  = 3 * time.Second  // for what a peer that stops has not sent yet
)

// queue holds ended spans until they are sent.
type queue struct {
	waiting chan sdk.ReadOnlySpan
	closed  atomic.Bool
	log     *slog.Logger
	failing bool // since the last batch
	send    func(ctx context.Context, batch []sdk.ReadOnlySpan) error
	hide    func(text string) string // takes secrets out

	sent, dropped, failed prometheus.Counter
}

func newQueue(reg prometheus.Registerer, log *slog.Logger) (*queue, error) {
	q := &queue{waiting: make(chan sdk.ReadOnlySpan, maxQueued), log: log}
	spans := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "muster_trace_spans_total",
		Help: "Spans that ended, by result: sent to the collector, dropped since the queue was full, failed since it did not take them.",
	}, []string{"result"})
	q.sent, q.dropped, q.failed = spans.WithLabelValues("sent"), spans.WithLabelValues("dropped"), spans.WithLabelValues("failed")
	waiting := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "muster_trace_queued_spans", Help: fmt.Sprintf("Spans that wait to be sent, of at most %d.", maxQueued),
	}, func() float64 { return float64(len(q.waiting)) })
	for _, c := range []prometheus.Collector{spans, waiting} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("metrics of traces: %w", err)
		}
	}
	return q, nil
}

// OnEnd is sdk.SpanProcessor's: it never blocks.
func (q *queue) OnEnd(s sdk.ReadOnlySpan) {
	if q.closed.Load() {
		q.dropped.Inc()
		return
	}
	select {
	case q.waiting <- s:
	default:
		q.dropped.Inc()
	}
}

// run sends what is queued until ctx ends, and then what is left, within stopWait.
func (q *queue) run(ctx context.Context) {
	tick := time.NewTicker(sendEvery)
	defer tick.Stop()
	batch := make([]sdk.ReadOnlySpan, 0, maxBatch)
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
			continue
		case s := <-q.waiting:
			if batch = append(batch, s); len(batch) < maxBatch {
				continue
			}
		case <-tick.C:
		}
		batch = q.deliver(ctx, batch)
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWait)
	defer cancel()
	q.closed.Store(true)
	for {
		for len(q.waiting) > 0 && len(batch) < maxBatch {
			batch = append(batch, <-q.waiting)
		}
		if len(batch) == 0 {
			return
		}
		if batch = q.deliver(last, batch); len(batch) > 0 { // there is no time left
			q.failed.Add(float64(len(batch) + len(q.waiting)))
			return
		}
	}
}

// deliver sends a batch and returns what is to be sent again: all of it when ctx ended meanwhile, else nothing.
func (q *queue) deliver(ctx context.Context, batch []sdk.ReadOnlySpan) []sdk.ReadOnlySpan {
	if len(batch) == 0 {
		return batch
	}
	attempt, cancel := context.WithTimeout(ctx, sendWait)
	defer cancel()
	err := q.send(attempt, batch)
	switch {
	case err == nil:
		q.sent.Add(float64(len(batch)))
		if q.failing {
			q.log.Info("traces are taken again")
		}
	case ctx.Err() != nil:
		return batch
	default:
		q.failed.Add(float64(len(batch)))
		if !q.failing {
			q.log.Warn("the collector did not take traces", "spans", len(batch), "error", brief(q.hide(err.Error())))
		}
	}
	q.failing = err != nil
	clear(batch)
	return batch[:0]
}

// brief is a text without what a collector had to say at length.
func brief(text string) string {
	const most = 300
	if len(text) > most {
		text = text[:most] + "…"
	}
	return text
}

// OnStart is sdk.SpanProcessor's.
func (*queue) OnStart(context.Context, sdk.ReadWriteSpan) {}

// Shutdown is sdk.SpanProcessor's: run ends the queue.
func (*queue) Shutdown(context.Context) error { return nil }

// ForceFlush is sdk.SpanProcessor's.
func (*queue) ForceFlush(context.Context) error { return nil }
