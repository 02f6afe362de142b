package world_test

import (
	"errors"
	"maps"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/musterhq/muster/scripts/sim/world"
)

// run runs seeds on all cores, until one fails.
func run(t *testing.T, seeds, steps int) (world.Counts, []world.Result) {
	t.Helper()
	var mu sync.Mutex
	var next atomic.Uint64
	var work sync.WaitGroup
	var failed atomic.Bool
	all, void := world.Counts{}, []world.Result{}
	for range runtime.GOMAXPROCS(0) {
		work.Go(func() {
			for seed := next.Add(1); seed <= uint64(seeds) && !failed.Load(); seed = next.Add(1) {
				r := world.Run(world.Config{Seed: seed, Steps: steps})
				mu.Lock()
				all.Add(r.Counts)
				if r.Void != "" {
					void = append(void, r)
				}
				if r.Err != nil {
					failed.Store(true)
					last := ""
					if v, ok := errors.AsType[*world.ViolationError](r.Err); ok {
						last = v.Last
					}
					t.Errorf("%s%v\ngo run ./scripts/sim -seed %d -steps %d -v", last, r.Err, seed, steps)
				}
				mu.Unlock()
			}
		})
	}
	work.Wait()
	return all, void
}

// No invariant is broken in any world, every kind of fault and of outcome comes about, and few worlds do too little.
func TestWorlds(t *testing.T) {
	seeds := 1000
	if testing.Short() {
		seeds = 40
	}
	defer debug.SetGCPercent(debug.SetGCPercent(1600)) // worlds are small and leave much garbage
	began := time.Now()
	counts, void := run(t, seeds, 2000)
	for _, r := range void {
		t.Logf("seed %d is void: %s", r.Seed, r.Void)
	}
	if len(void) > seeds/5 {
		t.Errorf("%d of %d worlds did too little to prove anything", len(void), seeds)
	}
	t.Logf("%d seeds in %s", seeds, time.Since(began))
	for _, name := range counts.Names() {
		t.Logf("%8d %s", counts[name], name)
	}
	if lacking := counts.Lacking(); len(lacking) > 0 {
		t.Errorf("void: no command of these kinds was ever accepted: %v", lacking)
	}
	if testing.Short() || t.Failed() {
		return
	}
	for _, name := range world.Kinds() {
		if counts[name] < 20 {
			t.Errorf("%q came about %d times in %d worlds", name, counts[name], seeds)
		}
	}
}

// A seed gives the same steps, in the same order and at the same times, each time.
func TestSeedsReplay(t *testing.T) {
	for seed := uint64(1); seed <= 6; seed++ {
		c := world.Config{Seed: seed, Steps: 800}
		one, two := world.Run(c), world.Run(c)
		if one.Hash != two.Hash || one.Steps != two.Steps || !maps.Equal(one.Counts, two.Counts) {
			t.Errorf("seed %d gives %d steps to %x, and again %d to %x", seed, one.Steps, one.Hash, two.Steps, two.Hash)
		}
		if seed > 1 && one.Hash == world.Run(world.Config{Seed: 1, Steps: 800}).Hash {
			t.Errorf("seed %d is seed 1", seed)
		}
	}
}

// A violation is told with the seed and the steps that led to it, whether the checker finds it or the code panics.
func TestViolationsAreTold(t *testing.T) {
	for _, panics := range []bool{false, true} {
		r := world.RunBroken(world.Config{Seed: 3, Steps: 500}, 2*time.Second, panics)
		v, ok := errors.AsType[*world.ViolationError](r.Err)
		if !ok {
			t.Fatalf("a broken world ends with %v", r.Err)
		}
		want := "I0"
		if panics {
			want = "panic"
		}
		if v.Invariant != want || v.Seed != 3 || v.Step != r.Steps || !strings.Contains(v.Last, "leads") {
			t.Errorf("told is %v, after\n%s", v, v.Last)
		}
	}
}

// What a world did too little of is said.
func TestIdleWorldIsVoid(t *testing.T) {
	if r := world.Run(world.Config{Seed: 1, Steps: 10}); r.Err != nil || r.Void == "" {
		t.Errorf("a world of 10 steps: %q, %v", r.Void, r.Err)
	}
}

func BenchmarkWorld(b *testing.B) {
	defer debug.SetGCPercent(debug.SetGCPercent(1600))
	b.ReportAllocs()
	seed, steps := uint64(0), 0
	for b.Loop() {
		seed++
		r := world.Run(world.Config{Seed: seed%16 + 1, Steps: 2000})
		if r.Err != nil {
			b.Fatal(r.Err)
		}
		steps += r.Steps
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(steps), "µs/step")
}
