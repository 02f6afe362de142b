// Command bench measures muster on this machine: three peers that refresh a fleet of nodes on loopback, beside bare
// keep-alive GETs over the same fleet, equally paced, in the same run. It prints a table and writes it as JSON, with the
// machine and the commit, to scripts/bench/results. Nothing here fails by timing.
//
// The share of noise is large on small machines: read ratios, not microseconds.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/musterhq/muster/scripts/rig"
)

// settings of one run.
type settings struct {
	Clusters int           `json:"clusters"`
	Nodes    int           `json:"nodes_per_cluster"`
	Interval time.Duration `json:"interval_ns"`
	Warmup   time.Duration `json:"warmup_ns"`
	Measure  time.Duration `json:"measure_ns"`
	Peers    int           `json:"peers"`
	Baseline time.Duration `json:"baseline_ns"`
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "baseline" {
		exit(baseline(os.Args[2:]))
	}
	var s settings
	flag.IntVar(&s.Clusters, "clusters", 1000, "clusters of the fleet")
	flag.IntVar(&s.Nodes, "nodes", 10, "nodes of each cluster")
	flag.IntVar(&s.Peers, "peers", 3, "peers of the group")
	flag.DurationVar(&s.Interval, "interval", 10*time.Second, "refresh interval")
	flag.DurationVar(&s.Warmup, "warmup", 30*time.Second, "after the first views, before measuring")
	flag.DurationVar(&s.Measure, "measure", 60*time.Second, "how long muster is measured")
	flag.DurationVar(&s.Baseline, "baseline", 20*time.Second, "how long each baseline is measured")
	results := flag.String("results", "scripts/bench/results", "folder for the JSON")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	exit(run(ctx, s, *results))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func run(ctx context.Context, s settings, results string) (err error) {
	dir, err := os.MkdirTemp("", "muster-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	b := &bench{settings: s, rig: rig.New(dir)}
	defer func() { err = errors.Join(err, b.rig.Stop()) }()
	r, err := b.measure(ctx)
	if err != nil {
		return err
	}
	r.print(os.Stdout)
	path, err := r.save(results)
	if err == nil {
		fmt.Println("\nwritten to", path)
	}
	return err
}
