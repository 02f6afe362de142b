package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/musterhq/muster/scripts/sim/world"
)

// tally is what came of all seeds so far.
type tally struct {
	mu     sync.Mutex
	seeds  int
	next   uint64
	began  time.Time
	failed []world.Result
	kept
}

// kept is what a file keeps of a tally. Seeds are done up to Next, and those of Beyond.
type kept struct {
	Build   string
	First   uint64
	Steps   int // of each
	Next    uint64
	Beyond  []uint64
	Done    int
	Ran     int // steps of all
	Virtual time.Duration
	Took    time.Duration
	Counts  world.Counts
	Void    map[uint64]string
}

func newTally(o options) *tally {
	return &tally{seeds: o.seeds, next: o.first, began: time.Now(), kept: kept{
		Build: build(), First: o.first, Steps: o.steps, Next: o.first, Counts: world.Counts{}, Void: map[uint64]string{},
	}}
}

// build names the sources this program was built from, as far as it knows.
func build() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	var revision, changed string
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			revision = s.Value
		case "vcs.modified":
			changed = s.Value
		}
	}
	if changed == "true" {
		return revision + ", changed"
	}
	return revision
}

// resume goes on from what a file keeps, where there is one.
func (t *tally) resume(file string) error {
	if file == "" {
		return nil
	}
	raw, err := os.ReadFile(file) //nolint:gosec // the user names it
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var k kept
	if err == nil {
		err = json.Unmarshal(raw, &k)
	}
	if err != nil {
		return fmt.Errorf("read what was done before: %w", err)
	}
	if k.Build != t.Build || k.Steps != t.Steps || k.First != t.First {
		return fmt.Errorf("%s keeps a run of build %q from seed %d with %d steps, this is of %q from %d with %d: name another file",
			file, k.Build, k.First, k.Steps, t.Build, t.First, t.Steps)
	}
	t.kept, t.next, t.began = k, k.Next, t.began.Add(-k.Took)
	return nil
}

// save keeps what was done in a file.
func (t *tally) save(file string) error {
	if file == "" {
		return nil
	}
	t.mu.Lock()
	t.Took = time.Since(t.began)
	raw, err := json.Marshal(t.kept)
	t.mu.Unlock()
	if err == nil {
		err = os.WriteFile(file+".new", raw, 0o600)
	}
	if err == nil {
		err = os.Rename(file+".new", file)
	}
	if err != nil {
		return fmt.Errorf("keep what was done: %w", err)
	}
	return nil
}

// take is the next seed to run; none after a violation.
func (t *tally) take() (seed uint64, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for slices.Contains(t.Beyond, t.next) {
		t.next++
	}
	if t.next >= t.First+uint64(t.seeds) || len(t.failed) > 0 {
		return 0, false
	}
	t.next++
	return t.next - 1, true
}

func (t *tally) add(r world.Result) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if r.Err != nil {
		t.failed = append(t.failed, r)
		return
	}
	if r.Void != "" {
		t.Void[r.Seed] = r.Void
	}
	t.Done++
	t.Ran += r.Steps
	t.Virtual += r.Virtual
	t.Counts.Add(r.Counts)
	t.Beyond = append(t.Beyond, r.Seed)
	slices.Sort(t.Beyond)
	for len(t.Beyond) > 0 && t.Beyond[0] == t.Next {
		t.Beyond, t.Next = t.Beyond[1:], t.Next+1
	}
}

func (t *tally) progress() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return fmt.Sprintf("%d of %d seeds, %d steps, %.0f s", t.Done, t.seeds, t.Ran, time.Since(t.began).Seconds())
}

// report prints what came about; false when something was violated or the run proves too little.
func (t *tally) report(to io.Writer) bool {
	for _, name := range t.Counts.Names() {
		fmt.Fprintf(to, "%10d  %s\n", t.Counts[name], name)
	}
	void := make([]uint64, 0, len(t.Void))
	for seed := range t.Void {
		void = append(void, seed)
	}
	slices.Sort(void)
	for _, seed := range void {
		fmt.Fprintf(to, "seed %d is void: %s\n", seed, t.Void[seed])
	}
	slices.SortFunc(t.failed, func(a, b world.Result) int { return cmp.Compare(a.Seed, b.Seed) })
	for _, r := range t.failed {
		if v, ok := errors.AsType[*world.ViolationError](r.Err); ok {
			fmt.Fprint(to, v.Last)
		}
		fmt.Fprintf(to, "trace %016x\n%v\n", r.Hash, r.Err)
	}
	lacking := t.Counts.Lacking()
	alone := t.seeds == 1
	if len(lacking) > 0 && !alone {
		fmt.Fprintf(to, "this run is void: no command of these kinds was ever accepted: %v\n", lacking)
	}
	fmt.Fprintf(to, "%d seeds (%d void), %d steps, %s of virtual time in %.1f s: %d violations\n",
		t.Done, len(void), t.Ran, t.Virtual.Round(time.Second), time.Since(t.began).Seconds(), len(t.failed))
	return len(t.failed) == 0 && (alone || len(lacking) == 0)
}
