// Sim runs simulations of a group under an adversary, a world for each seed, until one finds a violation or all have been
// run, and prints how often each kind of fault and of outcome came about. See the package world for what is simulated and
// what is checked.
//
//	go run ./scripts/sim -seeds 10000 -steps 5000               # on as many cores as there are
//	go run ./scripts/sim -seeds 10000 -steps 5000 -keep FILE    # goes on where the last one with this file was stopped
//	go run ./scripts/sim -seed 4711 -steps 5000 -v              # one seed again, with every step
//
// It exits 1 after a violation, and names the seed and the last steps; the same seed and steps give the same trace again. A
// seed in which too little happened is void, and is no proof of anything. So is the whole run when no command of some kind was
// ever accepted in it. How far it is stands on standard error.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"github.com/musterhq/muster/scripts/sim/world"
)

type options struct {
	seeds, steps, workers int
	first, seed           uint64
	verbose               bool
	keep                  string
}

func main() {
	var o options
	flag.IntVar(&o.seeds, "seeds", 1000, "how many seeds to run")
	flag.Uint64Var(&o.first, "first", 1, "the first of them")
	flag.IntVar(&o.steps, "steps", 2000, "steps of each, those of its rest included, about")
	flag.Uint64Var(&o.seed, "seed", 0, "run this seed alone")
	flag.BoolVar(&o.verbose, "v", false, "with -seed: print every step")
	flag.IntVar(&o.workers, "workers", runtime.NumCPU(), "seeds at once")
	flag.StringVar(&o.keep, "keep", "", "file that keeps what was done, so that the run can be stopped and gone on with")
	flag.Parse()
	if o.seed != 0 {
		o.first, o.seeds = o.seed, 1
	}
	debug.SetGCPercent(1600) // worlds are small and leave much garbage
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ok, err := o.run(ctx, os.Stdout, os.Stderr)
	if err != nil {
		fmt.Fprintln(os.Stderr, "sim:", err)
	}
	if err != nil || !ok {
		os.Exit(1) //nolint:gocritic // the signals go with the process
	}
}

// keepEvery is how often what was done is kept, and told.
const keepEvery = 10 * time.Second

// run runs the seeds until ctx ends; true when there was no violation and the run is worth something.
func (o options) run(ctx context.Context, out, progress io.Writer) (ok bool, err error) {
	t := newTally(o)
	if err := t.resume(o.keep); err != nil {
		return false, err
	}
	var work sync.WaitGroup
	ended := make(chan struct{})
	for range max(o.workers, 1) {
		work.Go(func() {
			for ctx.Err() == nil {
				seed, more := t.take()
				if !more {
					return
				}
				t.add(o.simulate(seed, out))
			}
		})
	}
	go func() {
		work.Wait()
		close(ended)
	}()
	tick := time.NewTicker(keepEvery)
	defer tick.Stop()
	for over := false; !over; {
		select {
		case <-ended:
			over = true
		case <-tick.C:
			fmt.Fprintln(progress, t.progress())
		}
		if err := t.save(o.keep); err != nil {
			return false, err
		}
	}
	return t.report(out), nil
}

func (o options) simulate(seed uint64, trace io.Writer) world.Result {
	c := world.Config{Seed: seed, Steps: o.steps}
	if o.verbose && o.seed != 0 {
		c.Trace = trace
	}
	return world.Run(c)
}
