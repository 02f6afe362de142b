package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// scale measures groups under more and more nodes. At each size the peers are measured alone first, then with readers of the
// API, and bare GETs over the same fleet before both.
type scale struct {
	sizes    sizes
	interval time.Duration
	reading  time.Duration
}

func (s *scale) flags(f *flag.FlagSet) {
	s.sizes = sizes{10_000, 30_000, 100_000}
	f.Var(&s.sizes, "sizes", "`NODES` of the fleets, such as 10k,30k,100k")
	f.DurationVar(&s.interval, "scale-interval", 30*time.Second, "`TIME` between two refreshes of a cluster")
	f.DurationVar(&s.reading, "reading", 25*time.Second, "`TIME` that the API is asked")
}

func (s *scale) run(ctx context.Context, b *bench, out *result) error {
	smallest := 0.0
	for _, size := range s.sizes {
		column := thousands(size)
		m, err := s.at(ctx, b, size, out)
		if err != nil {
			return fmt.Errorf("%s nodes: %w", column, err)
		}
		if smallest == 0 {
			smallest = m.micros()
		}
		out.add(figure{
			Name: "node refresh : at the first size", Case: column, Value: m.micros() / smallest, Unit: "x", Goal: "<= 1",
			Note: "cost must not grow with the number of nodes",
		})
	}
	return nil
}

// at measures one size, and ends what it started.
func (s *scale) at(ctx context.Context, b *bench, size int, out *result) (m measured, err error) {
	defer func() { err = errors.Join(err, b.stop()) }()
	column := thousands(size)
	r, err := b.rig(ctx)
	if err != nil {
		return m, err
	}
	f, err := b.fleet(ctx, r, max(1, size/b.nodes))
	if err != nil {
		return m, err
	}
	bare := map[string]cost{}
	for _, pace := range []string{"beats", "paced"} {
		if bare[pace], err = b.bare(ctx, f, pace, s.interval); err != nil {
			return m, err
		}
	}
	g, err := b.group(ctx, r)
	if err != nil {
		return m, err
	}
	began := time.Now()
	if err := g.refreshes(ctx, f, s.interval, nil); err != nil {
		return m, err
	}
	first := time.Since(began)
	run, err := g.firstRun(ctx)
	if err != nil {
		return m, err
	}
	step("warming up")
	if !wait(ctx, max(b.warmup, s.interval+beat)) {
		return m, context.Cause(ctx)
	}
	if err := g.trimmed(ctx); err != nil {
		return m, err
	}
	leader, err := g.Leader(ctx)
	if err != nil {
		return m, err
	}
	if m, err = g.during(ctx, leader, b.measure, column); err != nil {
		return m, err
	}
	out.add(m.figures(column)...)
	out.add(
		figure{Name: "first run of the discovery", Case: column, Value: run.Seconds(), Unit: "s"},
		figure{
			Name: "first views of all", Case: column, Value: first.Seconds(), Unit: "s",
			Note: "from applying the discovery, to the second",
		},
	)
	for _, pace := range []string{"beats", "paced"} {
		out.add(
			figure{Name: "CPU of a bare GET, " + pace, Case: column, Value: bare[pace].micros(), Unit: "us"},
			figure{
				Name: "node refresh : bare GET, " + pace, Case: column, Value: m.micros() / bare[pace].micros(), Unit: "x",
				Goal: goalOf(pace),
			},
			figure{Name: "bare GETs that dialed, " + pace, Case: column, Value: bare[pace].dialed(), Unit: "%"},
		)
	}
	if err := s.read(ctx, g, column, out); err != nil {
		return m, err
	}
	return m, g.snapshots(ctx, column, out)
}

// read times answers of the API while refreshes go on.
func (s *scale) read(ctx context.Context, g *group, column string, out *result) error {
	step("asking the API")
	within, cancel := context.WithTimeout(ctx, s.reading)
	defer cancel()
	took, err := latencies(within, g.Running())
	if err != nil {
		return err
	}
	for i, r := range reads {
		out.spread(figure{Name: r.name, Case: column, Unit: "ms", Goal: r.goal}, took[i])
	}
	return ctx.Err()
}

// snapshots says what those cost that were taken since the group began; nothing when there was none.
func (g *group) snapshots(ctx context.Context, column string, out *result) error {
	r, err := g.read(ctx, nil)
	if err != nil {
		return err
	}
	mean := func(name string) float64 { return r.sum(name+"_sum") / r.sum(name+"_count") }
	var largest int64
	for _, p := range g.Running() {
		files, err := filepath.Glob(filepath.Join(p.Data, "snapshots", "*", "state.bin"))
		if err != nil {
			return err
		}
		for _, f := range files {
			if info, err := os.Stat(f); err == nil { // raft may have removed it
				largest = max(largest, info.Size())
			}
		}
	}
	if largest == 0 {
		return nil
	}
	out.add(
		figure{
			Name: "snapshots", Case: column, Value: r.sum("muster_raft_snapshot_duration_seconds_count"),
			Note: "of all peers, while loading too",
		},
		figure{Name: "snapshot, size", Case: column, Value: mib(float64(largest)), Unit: "MiB"},
		figure{Name: "snapshot, time", Case: column, Value: 1e3 * mean("muster_raft_snapshot_duration_seconds"), Unit: "ms"},
		figure{
			Name: "snapshot, pause of applying", Case: column, Value: 1e3 * mean("muster_raft_snapshot_pause_seconds"), Unit: "ms",
			Note: "to pin the state; writing goes on beside",
		},
	)
	return nil
}

// sizes are numbers of nodes, written 10k,30k,100k.
type sizes []int

func (s *sizes) String() string {
	var out []string
	for _, n := range *s {
		out = append(out, thousands(n))
	}
	return strings.Join(out, ",")
}

// Set implements flag.Value.
func (s *sizes) Set(text string) error {
	var out sizes
	for part := range strings.SplitSeq(text, ",") {
		digits, isK := strings.CutSuffix(strings.TrimSpace(part), "k")
		n, err := strconv.Atoi(digits)
		if isK {
			n *= 1000
		}
		if err != nil || n < 1 {
			return fmt.Errorf("%q is no number of nodes, such as 500 or 10k", part)
		}
		out = append(out, n)
	}
	*s = out
	return nil
}

// thousands writes whole thousands with a k.
func thousands(n int) string {
	if n >= 1000 && n%1000 == 0 {
		return strconv.Itoa(n/1000) + "k"
	}
	return strconv.Itoa(n)
}
