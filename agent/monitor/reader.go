package monitor

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// Reader is one who watches. Lines are kept for it until it takes them; one goroutine takes.
type Reader struct {
	monitor *Monitor
	level   slog.Level
	json    bool
	more    chan struct{}

	mu    sync.Mutex
	lines []byte
	lost  int // lines that came after them and did not fit
}

// add keeps a line, or counts it. Once one was left out all are until the reader takes, so that what is missing is missing at one
// place.
func (r *Reader) add(line []byte) {
	r.mu.Lock()
	if r.lost > 0 || len(r.lines)+len(line) > room {
		r.lost++
		r.monitor.lost.Inc()
	} else {
		r.lines = append(r.lines, line...)
	}
	r.mu.Unlock()
	select {
	case r.more <- struct{}{}:
	default:
	}
}

// More is ready when there is something to take.
func (r *Reader) More() <-chan struct{} { return r.more }

// Take is all lines that are kept. A last one says how many are missing after them. What comes later is kept in the space of a
// slice that the reader no longer needs, nil for none.
func (r *Reader) Take(ctx context.Context, space []byte) []byte {
	r.mu.Lock()
	lines, lost := r.lines, r.lost
	r.lines, r.lost = space[:0], 0
	r.mu.Unlock()
	if lost == 0 {
		return lines
	}
	told := slog.NewRecord(time.Now(), slog.LevelWarn, "lines left out, since they were not taken in time", 0)
	told.Add("lines", lost)
	return append(lines, format(ctx, r.json, func(h slog.Handler) slog.Handler { return h }, told)...)
}

// Close ends watching.
func (r *Reader) Close() { r.monitor.remove(r) }
