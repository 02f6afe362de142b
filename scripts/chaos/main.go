package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

// options say which run is wanted.
type options struct {
	peers  int
	length time.Duration
	seed   uint64
	only   []string // faults, each once; nil draws from all until length is over
	bin    string
}

const usage = `Breaks a group of real processes in every way it knows, and checks what it promised.

Usage: go run ./scripts/chaos [flags] [FAULT ...]

Faults, drawn by chance until the time is over unless some are named, which then come once each, in that order:
  %s

Examples:
  go run ./scripts/chaos -for 10m -peers 5
  go run ./scripts/chaos -seed 7 "leader killed" "flipped byte"

Flags:
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := execute(ctx, os.Args[1:])
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(1)
	}
}

func execute(ctx context.Context, args []string) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	if !inside() {
		return apart(ctx, args...)
	}
	report, err := play(ctx, o)
	if report != nil {
		report.print(os.Stdout)
	}
	if err == nil && report.failed() {
		err = errors.New("the run failed")
	}
	return err
}

// parse reads the command line.
func parse(args []string) (options, error) {
	var o options
	var names []string
	for _, f := range faults {
		names = append(names, f.name)
	}
	set := flag.NewFlagSet("chaos", flag.ContinueOnError)
	set.Usage = func() {
		fmt.Fprintf(set.Output(), usage, strings.Join(names, "\n  "))
		set.PrintDefaults()
	}
	set.IntVar(&o.peers, "peers", 3, "`N` peers")
	set.DurationVar(&o.length, "for", 5*time.Minute, "how long faults are injected")
	set.Uint64Var(&o.seed, "seed", 1, "decides which faults come when, and what clients call")
	brief := set.Bool("smoke", false, "a few of the faults, once each: "+strings.Join(smoke, ", "))
	set.StringVar(&o.bin, "bin", "", "the muster `program` to run; built here when empty")
	if err := set.Parse(args); err != nil {
		return o, err
	}
	if o.peers < 3 {
		return o, fmt.Errorf("-peers %d: at least 3 are needed, or one fault stops them all", o.peers)
	}
	for _, name := range set.Args() {
		if !slices.Contains(names, name) {
			return o, fmt.Errorf("no fault is called %q; there are: %s", name, strings.Join(names, ", "))
		}
		o.only = append(o.only, name)
	}
	if *brief {
		o.only = smoke
	}
	return o, nil
}

// logf tells what is being done.
func (r *run) logf(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%s %s\n", time.Now().Format(time.TimeOnly), fmt.Sprintf(format, args...))
}
