// Sim runs simulations of a group under an adversary, a world for each seed, until one finds a violation or all have been
// run, and prints how often each kind of fault and of outcome came about. See the package world for what is simulated and
// what is checked.
//
//	go run ./scripts/sim -seeds 10000 -steps 5000      # on as many cores as there are
//	go run ./scripts/sim -seed 4711 -steps 5000 -v     # one seed again, with every step
//
// It exits 1 after a violation, and names the seed and the last steps; the same seed and steps give the same trace again. A
// seed in which too little happened is void, and is no proof of anything.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/musterhq/muster/scripts/sim/world"
)

func main() {
	var o options
	flag.IntVar(&o.seeds, "seeds", 1000, "how many seeds to run")
	flag.Uint64Var(&o.first, "first", 1, "the first of them")
	flag.IntVar(&o.steps, "steps", 2000, "steps of each before the adversary rests")
	flag.Uint64Var(&o.seed, "seed", 0, "run this seed alone")
	flag.BoolVar(&o.verbose, "v", false, "with -seed: print every step")
	flag.IntVar(&o.workers, "workers", runtime.NumCPU(), "seeds at once")
	flag.Parse()
	if o.seed != 0 {
		o.first, o.seeds = o.seed, 1
	}
	debug.SetGCPercent(1600) // worlds are small and leave much garbage
	if !o.run(os.Stdout) {
		os.Exit(1)
	}
}

type options struct {
	seeds, steps, workers int
	first, seed           uint64
	verbose               bool
}

// tally is what came of all seeds so far.
type tally struct {
	sync.Mutex
	next    uint64
	done    int
	steps   int
	virtual time.Duration
	counts  world.Counts
	void    []world.Result
	failed  []world.Result
}

// run runs the seeds; true when there was no violation.
func (o options) run(to io.Writer) bool {
	t := &tally{next: o.first, counts: world.Counts{}}
	began, last := time.Now(), time.Now()
	var work sync.WaitGroup
	for range max(o.workers, 1) {
		work.Go(func() {
			for {
				seed, ok := t.take(o)
				if !ok {
					return
				}
				c := world.Config{Seed: seed, Steps: o.steps}
				if o.verbose && o.seed != 0 {
					c.Trace = to
				}
				t.add(world.Run(c), func() {
					if time.Since(last) > 10*time.Second {
						last = time.Now()
						fmt.Fprintf(to, "%d of %d seeds, %d steps, %.0f s\n", t.done, o.seeds, t.steps, time.Since(began).Seconds())
					}
				})
			}
		})
	}
	work.Wait()
	t.report(to, time.Since(began))
	return len(t.failed) == 0
}

func (t *tally) take(o options) (seed uint64, ok bool) {
	t.Lock()
	defer t.Unlock()
	if t.next >= o.first+uint64(o.seeds) || len(t.failed) > 0 {
		return 0, false
	}
	t.next++
	return t.next - 1, true
}

func (t *tally) add(r world.Result, progress func()) {
	t.Lock()
	defer t.Unlock()
	t.done++
	t.steps += r.Steps
	t.virtual += r.Virtual
	t.counts.Add(r.Counts)
	switch {
	case r.Err != nil:
		t.failed = append(t.failed, r)
	case r.Void != "":
		t.void = append(t.void, r)
	}
	progress()
}

func (t *tally) report(to io.Writer, took time.Duration) {
	for _, name := range t.counts.Names() {
		fmt.Fprintf(to, "%10d  %s\n", t.counts[name], name)
	}
	for _, r := range t.void {
		fmt.Fprintf(to, "seed %d is void: %s\n", r.Seed, r.Void)
	}
	for _, r := range t.failed {
		if v, ok := errors.AsType[*world.ViolationError](r.Err); ok {
			fmt.Fprint(to, v.Last)
		}
		fmt.Fprintf(to, "trace %016x\n%v\n", r.Hash, r.Err)
	}
	fmt.Fprintf(to, "%d seeds (%d void), %d steps, %s of virtual time in %.1f s: %d violations\n",
		t.done, len(t.void), t.steps, t.virtual.Round(time.Second), took.Seconds(), len(t.failed))
}
