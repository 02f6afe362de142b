package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"
)

// leastWrites is how many writes a second have to go through between faults, or the run has shown nothing.
const leastWrites = 20

// report is what a run did and found.
type report struct {
	options
	faults     map[string]*tally
	replaced   []time.Duration // from the leader's death to the next write
	calm       time.Duration
	calmWrites int64
	operations int
	unknown    int
	refused    int
	events     int
	violations []string
}

// tally is what one kind of fault did.
type tally struct {
	count int
	again []time.Duration // from mending it until every peer took a write
}

func (t *tally) add(again time.Duration) {
	t.count++
	t.again = append(t.again, again)
}

func (r *report) tally(name string) *tally {
	if r.faults[name] == nil {
		r.faults[name] = &tally{}
	}
	return r.faults[name]
}

func (r *report) violation(format string, args ...any) {
	r.violations = append(r.violations, fmt.Sprintf(format, args...))
}

func (r *report) add(wrong []string) { r.violations = append(r.violations, wrong...) }

// rate is how many writes a second went through between faults.
func (r *report) rate() float64 {
	if r.calm <= 0 {
		return 0
	}
	return float64(r.calmWrites) / r.calm.Seconds()
}

// void says whether too little was done for the run to count.
func (r *report) void() bool { return r.rate() < leastWrites }

func (r *report) failed() bool { return r.void() || len(r.violations) > 0 }

// print writes the report as a table.
func (r *report) print(to io.Writer) {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "\nfault\ttimes\twrites again, median\tat most\n")
	for _, f := range faults {
		if t := r.faults[f.name]; t != nil {
			fmt.Fprintf(w, "%s\t%d\t%s\t%s\n", f.name, t.count, short(middle(t.again)), short(slices.Max(t.again)))
		}
	}
	if len(r.replaced) > 0 {
		fmt.Fprintf(w, "a dead leader's group\t%d\t%s\t%s\n", len(r.replaced), short(middle(r.replaced)), short(slices.Max(r.replaced)))
	}
	_ = w.Flush() // to was written to before, and is again below
	fmt.Fprintf(to, "\n%d peers, seed %d: %d calls judged, %d with an unknown outcome, %d writes refused; %d events; "+
		"%.0f writes/s between faults\n", r.peers, r.seed, r.operations, r.unknown, r.refused, r.events, r.rate())
	if r.void() {
		fmt.Fprintf(to, "VOID: fewer than %d writes a second went through between faults\n", leastWrites)
	}
	fmt.Fprintf(to, "%d violations\n", len(r.violations))
	for _, v := range r.violations {
		fmt.Fprintf(to, "- %s\n", v)
	}
}

func middle(d []time.Duration) time.Duration {
	d = slices.Sorted(slices.Values(d))
	return d[len(d)/2]
}

func short(d time.Duration) time.Duration { return d.Round(10 * time.Millisecond) }
