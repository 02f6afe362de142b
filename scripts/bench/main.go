// Command bench measures muster on this machine, scenario by scenario: real processes on loopback, and beside each figure a
// baseline measured in the same run, so that the ratio says something on a noisy machine too. It prints a table and writes
// it as JSON, with the machine, the commit and the settings. Nothing here fails by timing. README.md says how to repeat and
// to read each figure.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// settings are the flags that scenarios have in common. What a scenario alone needs is in its own flags.
type settings struct {
	peers    int           // of a group
	nodes    int           // of a cluster
	warmup   time.Duration // after the first views, before measuring
	measure  time.Duration // how long muster is measured
	baseline time.Duration // how long each baseline is measured
	profile  bool          // keep profiles of the peers
	results  string        // folder
}

func (s *settings) flags(f *flag.FlagSet) {
	f.IntVar(&s.peers, "peers", 3, "`N` peers in the group")
	f.IntVar(&s.nodes, "nodes", 10, "`N` nodes in each cluster")
	f.DurationVar(&s.warmup, "warmup", 15*time.Second, "`TIME` between the first views and measuring")
	f.DurationVar(&s.measure, "measure", time.Minute, "`TIME` that muster is measured")
	f.DurationVar(&s.baseline, "baseline", 10*time.Second, "`TIME` that each baseline is measured")
	f.BoolVar(&s.profile, "profile", false, "keep CPU and heap profiles of the peers, in profiles/ beside the JSON")
	f.StringVar(&s.results, "results", "scripts/bench/results", "`FOLDER` for the JSON and the profiles")
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := program(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// program runs what the arguments ask for: scenarios, or as a child process the part of one that its CPU is measured of.
func program(ctx context.Context, args []string, to io.Writer) error {
	if len(args) > 0 {
		if run, ok := children()[args[0]]; ok {
			return run(ctx, args[1:], to)
		}
	}
	all := scenarios()
	var s settings
	f, own := flagSet(all, &s)
	if err := f.Parse(args); err != nil {
		return err
	}
	chosen, err := pick(all, f.Args())
	if err != nil {
		return err
	}
	return run(&s, func(b *bench) error {
		for _, c := range chosen {
			if err := b.measured(ctx, c, newResult(ctx, c.name, values(f, own, c.name)), to); err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
		}
		return nil
	})
}

// run makes a folder for everything and takes it away afterwards.
func run(s *settings, do func(*bench) error) (err error) {
	dir, err := os.MkdirTemp("", "muster-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	return do(&bench{settings: *s, dir: dir})
}

// measured runs one scenario, prints what it found and writes it.
func (b *bench) measured(ctx context.Context, s scenario, out *result, to io.Writer) (err error) {
	step("scenario " + s.name)
	b.scenario = s.name
	defer func() { err = errors.Join(err, b.stop()) }()
	if err := s.run(ctx, b, out); err != nil {
		return err
	}
	out.print(to)
	path, err := out.save(b.results)
	if err == nil {
		fmt.Fprintf(to, "\nwritten to %s\n\n", path)
	}
	return err
}

// step says on stderr what is being done.
func step(what string) {
	fmt.Fprintf(os.Stderr, "%s == %s\n", time.Now().Format(time.TimeOnly), what)
}
