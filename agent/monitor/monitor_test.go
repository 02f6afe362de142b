package monitor_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/musterhq/muster/agent/monitor"
	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

// watched is a log at the level info that can be watched.
type watched struct {
	t   *testing.T
	m   *monitor.Monitor
	reg *prometheus.Registry
	log *slog.Logger
	own bytes.Buffer // what the log itself holds
}

func newWatched(t *testing.T) *watched {
	t.Helper()
	w := &watched{t: t, reg: prometheus.NewRegistry()}
	var err error
	if w.m, err = monitor.New(w.reg); err != nil {
		t.Fatal(err)
	}
	w.log = slog.New(w.m.Handler(slog.NewTextHandler(&w.own, nil)))
	return w
}

func (w *watched) watch(level slog.Level, json bool) *monitor.Reader {
	w.t.Helper()
	r, err := w.m.Watch(level, json)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(r.Close)
	return r
}

// take is what a reader has now, without times.
func (w *watched) take(r *monitor.Reader) []string {
	var out []string
	for line := range strings.Lines(string(r.Take(w.t.Context(), nil))) {
		_, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		out = append(out, rest)
	}
	return out
}

func TestReadersHaveLevelsOfTheirOwn(t *testing.T) {
	w := newWatched(t)
	everything, warnings := w.watch(slog.LevelDebug, false), w.watch(slog.LevelWarn, false)
	part := w.log.With("part", "raft").WithGroup("at").With("term", 7)
	w.log.Debug("polled", "node", "a")
	part.Info("leads", "index", 9)
	w.log.Warn("disk is low", "free", 1)
	want := []string{
		`level=DEBUG msg=polled node=a`, `level=INFO msg=leads part=raft at.term=7 at.index=9`, `level=WARN msg="disk is low" free=1`,
	}
	if diff := cmp.Diff(want, w.take(everything)); diff != "" {
		t.Errorf("who watches everything reads (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want[2:], w.take(warnings)); diff != "" {
		t.Errorf("who watches warnings reads (-want +got):\n%s", diff)
	}
	if own := w.own.String(); strings.Contains(own, "polled") || strings.Count(own, "\n") != 2 {
		t.Errorf("the log itself holds:\n%s", own)
	}
}

func TestLinesAreJSONForWhoWantsIt(t *testing.T) {
	w := newWatched(t)
	r := w.watch(slog.LevelDebug, true)
	w.log.With("part", "raft").Info("leads", "error", errors.New("none"))
	var got struct{ Msg, Part, Level, Error string }
	if err := json.Unmarshal(r.Take(t.Context(), nil), &got); err != nil || got.Msg != "leads" || got.Part != "raft" || got.Error != "none" {
		t.Errorf("%v: %+v", err, got)
	}
}

// TestNobodyReading shows that a level below the log's is not even looked at when nobody wants it.
func TestNobodyReading(t *testing.T) {
	w := newWatched(t)
	r := w.watch(slog.LevelDebug, false)
	if !w.log.Enabled(t.Context(), slog.LevelDebug) {
		t.Error("a reader of debug does not have it logged")
	}
	r.Close()
	if w.log.Enabled(t.Context(), slog.LevelDebug) {
		t.Error("debug is logged though nobody reads it any more")
	}
	w.log.Info("started")
	if lines := w.take(r); lines != nil || !strings.Contains(w.own.String(), "started") {
		t.Errorf("who has closed reads %q", lines)
	}
}

// TestSlowReadersLoseLines fills a reader's room, and shows where and how many lines are missing, and that another reader has all.
func TestSlowReadersLoseLines(t *testing.T) {
	w := newWatched(t)
	slow, fast := w.watch(slog.LevelInfo, false), w.watch(slog.LevelInfo, false)
	long := strings.Repeat("x", 50<<10)
	const total = 40
	got := 0
	for i := range total {
		w.log.Info("line", "n", i, "text", long)
		got += len(w.take(fast))
	}
	if got != total {
		t.Errorf("who takes its lines has %d of %d", got, total)
	}
	w.log.Info("short") // would fit, but not at its place
	kept := w.take(slow)
	last := kept[len(kept)-1]
	missing := 0
	if _, err := fmt.Sscanf(last, `level=WARN msg="lines left out, since they were not taken in time" lines=%d`, &missing); err != nil {
		t.Fatalf("%v: the last line is %q", err, last)
	}
	if kept := len(kept) - 1; kept != 5 || kept+missing != total+1 {
		t.Errorf("%d lines are kept and %d missing, of %d", kept, missing, total+1)
	}
	if n := w.counted(); n != missing {
		t.Errorf("the metric says %d", n)
	}
	w.log.Info("after")
	if diff := cmp.Diff([]string{"level=INFO msg=after"}, w.take(slow)); diff != "" {
		t.Errorf("after it has caught up it reads (-want +got):\n%s", diff)
	}
}

// counted is how many lines were lost, as the metric tells it.
func (w *watched) counted() int {
	families, err := w.reg.Gather()
	if err != nil {
		w.t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "muster_monitor_lost_lines_total" {
			return int(f.GetMetric()[0].GetCounter().GetValue())
		}
	}
	return -1
}

func TestReadersAreBounded(t *testing.T) {
	w := newWatched(t)
	first := w.watch(slog.LevelInfo, false)
	for range monitor.MaxReaders - 1 {
		w.watch(slog.LevelInfo, false)
	}
	var refused *fsm.Error
	if _, err := w.m.Watch(slog.LevelInfo, false); !errors.As(err, &refused) || refused.Code != httpd.CodeTooMany {
		t.Errorf("one too many: %v", err)
	}
	first.Close()
	w.watch(slog.LevelInfo, false)
}

// odd is a value that logs when it is asked for its text.
type odd struct{ log *slog.Logger }

func (o odd) LogValue() slog.Value {
	o.log.Info("asked")
	return slog.StringValue("odd")
}

func TestValuesMayDoWhatTheyLike(t *testing.T) {
	w := newWatched(t)
	r := w.watch(slog.LevelInfo, false)
	w.log.Debug("value", "odd", odd{w.log}) // nobody wants it
	w.log.Info("value", "odd", odd{w.log})
	if lines := w.take(r); len(lines) != 3 || lines[1] != "level=INFO msg=value odd=odd" {
		t.Errorf("lines are %q", lines)
	}
}

func TestManyLogAndRead(t *testing.T) {
	w := newWatched(t)
	var group sync.WaitGroup
	r := w.watch(slog.LevelDebug, false)
	for range 4 {
		group.Go(func() {
			for range 500 {
				w.log.With("a", 1).Debug("line")
			}
		})
		group.Go(func() {
			for range 50 {
				if r, err := w.m.Watch(slog.LevelWarn, true); err == nil {
					r.Close()
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { group.Wait(); close(done) }()
	var space []byte
	lines := 0
	for ended := false; !ended; {
		select {
		case <-r.More():
		case <-done:
			ended = true
		case <-time.After(time.Minute):
			t.Fatal("nothing more comes")
		}
		space = r.Take(t.Context(), space)
		lines += bytes.Count(space, []byte("\n"))
	}
	if lines != 2000 {
		t.Errorf("%d lines came", lines)
	}
}
