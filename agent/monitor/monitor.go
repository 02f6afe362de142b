package monitor

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

const (
	// MaxReaders watch at a time.
	MaxReaders = 16
	// room is how many bytes of lines are kept for a reader that does not take them.
	room = 256 << 10
)

const nobody = math.MaxInt64 // no line is at this level

// Monitor knows who watches a log. It may be used by any number of goroutines.
type Monitor struct {
	least atomic.Int64 // level from which on some reader wants lines
	lost  prometheus.Counter

	mu      sync.Mutex
	readers map[*Reader]struct{}
}

// New makes a monitor. It registers its metrics and starts nothing.
func New(reg prometheus.Registerer) (*Monitor, error) {
	m := &Monitor{readers: map[*Reader]struct{}{}, lost: prometheus.NewCounter(prometheus.CounterOpts{
		Name: "muster_monitor_lost_lines_total",
		Help: "Lines of the log that were left out for readers that did not take them in time.",
	})}
	m.least.Store(nobody)
	for _, c := range []prometheus.Collector{m.lost, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "muster_monitor_readers",
		Help: fmt.Sprintf("Readers that watch the log now, of at most %d.", MaxReaders),
	}, func() float64 { return float64(m.Readers()) })} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("monitor: register metrics: %w", err)
		}
	}
	return m, nil
}

// Handler is a handler that gives lines to readers and, as before, to the one that writes the log.
func (m *Monitor) Handler(log slog.Handler) slog.Handler {
	return &handler{monitor: m, log: log, shape: func(h slog.Handler) slog.Handler { return h }}
}

// Watch keeps lines from a level on, as JSON or as text, for a reader, who must close it.
func (m *Monitor) Watch(level slog.Level, json bool) (*Reader, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.readers) >= MaxReaders {
		return nil, fsm.Errorf(httpd.CodeTooMany, "%d readers watch the log of this peer already; end one of them", MaxReaders)
	}
	r := &Reader{monitor: m, level: level, json: json, more: make(chan struct{}, 1)}
	m.readers[r] = struct{}{}
	m.weigh()
	return r, nil
}

func (m *Monitor) remove(r *Reader) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.readers, r)
	m.weigh()
}

// weigh says anew from which level on somebody wants lines.
func (m *Monitor) weigh() {
	least := int64(nobody)
	for r := range m.readers {
		least = min(least, int64(r.level))
	}
	m.least.Store(least)
}

// Readers is how many watch now.
func (m *Monitor) Readers() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.readers)
}

// wanting are the readers of a level, by whether they want JSON.
func (m *Monitor) wanting(level slog.Level) map[bool][]*Reader {
	out := map[bool][]*Reader{}
	m.mu.Lock()
	defer m.mu.Unlock()
	for r := range m.readers {
		if level >= r.level {
			out[r.json] = append(out[r.json], r)
		}
	}
	return out
}

// handler is the peer's log with its readers.
type handler struct {
	monitor *Monitor
	log     slog.Handler
	shape   func(slog.Handler) slog.Handler // gives a handler the attributes and groups that this one was given
}

func (h *handler) wanted(level slog.Level) bool { return int64(level) >= h.monitor.least.Load() }

// Enabled is slog.Handler's.
func (h *handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.wanted(level) || h.log.Enabled(ctx, level)
}

// Handle is slog.Handler's. Readers come first: the log itself may be written to something that stands still.
func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	if h.wanted(r.Level) {
		for json, readers := range h.monitor.wanting(r.Level) {
			line := format(ctx, json, h.shape, r)
			for _, to := range readers {
				to.add(line)
			}
		}
	}
	if !h.log.Enabled(ctx, r.Level) {
		return nil
	}
	return h.log.Handle(ctx, r)
}

// WithAttrs is slog.Handler's.
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return h.with(func(to slog.Handler) slog.Handler { return to.WithAttrs(attrs) })
}

// WithGroup is slog.Handler's.
func (h *handler) WithGroup(name string) slog.Handler {
	return h.with(func(to slog.Handler) slog.Handler { return to.WithGroup(name) })
}

func (h *handler) with(more func(slog.Handler) slog.Handler) slog.Handler {
	return &handler{
		monitor: h.monitor, log: more(h.log),
		shape: func(to slog.Handler) slog.Handler { return more(h.shape(to)) },
	}
}

// format is a line as it is written, with its end.
func format(ctx context.Context, json bool, shape func(slog.Handler) slog.Handler, r slog.Record) []byte {
	var line bytes.Buffer
	options := &slog.HandlerOptions{Level: slog.Level(math.MinInt)}
	var to slog.Handler = slog.NewTextHandler(&line, options)
	if json {
		to = slog.NewJSONHandler(&line, options)
	}
	// A buffer takes everything, and what a handler cannot encode it writes as a word about that.
	_ = shape(to).Handle(ctx, r)
	return line.Bytes()
}
