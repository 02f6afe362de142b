package million_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/scripts/bench/million"
)

// measured are the figures that depend on nothing but the seed.
type measured struct {
	Refreshes, Entries, Bytes, Proposals, ProposalBytes, OpenMost int
	Late                                                          []float64
}

func group(t *testing.T, c million.Config) *million.Group {
	t.Helper()
	g, err := million.New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func run(t *testing.T, g *million.Group, l million.Load) (*million.Result, measured) {
	t.Helper()
	r, err := g.Run(t.Context(), l)
	if err != nil {
		t.Fatal(err)
	}
	return r, measured{r.Refreshes, r.Entries, r.Bytes, r.Proposals, r.ProposalBytes, r.OpenMost, r.Late}
}

// A group that is large enough refreshes every cluster once an interval, at its slot, with one entry a beat, however often
// the leader changes.
func TestEveryClusterEachInterval(t *testing.T) {
	g := group(t, million.Config{Clusters: 300, Nodes: 3, Peers: 5})
	if err := g.Keep(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if g.State < 300*3*100 || g.Snapshot < 300*3*50 {
		t.Errorf("state %d B, snapshot %d B", g.State, g.Snapshot)
	}
	for _, interval := range []time.Duration{5 * time.Second, 2 * time.Second} {
		r, _ := run(t, g, million.Load{Peers: 3, Interval: interval, Span: 2 * interval, InFlight: 1024})
		if n := len(r.Late); n < 585 || n > 615 {
			t.Errorf("%d claims of 300 clusters in two intervals of %s", n, interval)
		}
		for _, late := range r.Late {
			if late < 0 || late > 0.5 {
				t.Fatalf("a claim %v s after its slot", late)
			}
		}
		if beats := int(2 * interval / (250 * time.Millisecond)); r.Entries != beats || r.WaitingMost > 0 {
			t.Errorf("%d entries in %d beats, %d clusters waited", r.Entries, beats, r.WaitingMost)
		}
		if r.SchedulerBytes < 300*50 || r.CPU <= 0 || r.Apply <= 0 {
			t.Errorf("scheduler %d B, %v s of CPU, of it apply %v", r.SchedulerBytes, r.CPU, r.Apply)
		}
	}
}

// Two simulations of one seed are alike, and a group with too little room falls behind and shows it.
func TestTooLittleRoomShows(t *testing.T) {
	var all []measured
	for range 2 {
		r, m := run(t, group(t, million.Config{Clusters: 200, Nodes: 10, Peers: 2}),
			million.Load{Peers: 2, Interval: 2 * time.Second, Span: 4 * time.Second, InFlight: 100})
		if all = append(all, m); r.OpenMost > 100 || r.WaitingMost < 50 || len(r.Late) > 380 {
			t.Errorf("%d polls in flight, %d clusters waited, %d of 400 claims", r.OpenMost, r.WaitingMost, len(r.Late))
		}
	}
	if diff := cmp.Diff(all[0], all[1]); diff != "" {
		t.Errorf("two simulations of one seed:\n%s", diff)
	}
}

func TestSettingsAreJudged(t *testing.T) {
	if _, err := million.New(t.Context(), million.Config{Clusters: 1}); err == nil {
		t.Error("a group without nodes is made")
	}
	g := group(t, million.Config{Clusters: 1, Nodes: 1, Peers: 1})
	if _, err := g.Run(t.Context(), million.Load{Peers: 2, Interval: time.Second, Span: time.Second, InFlight: 1}); err == nil {
		t.Error("a group runs with more peers than it has")
	}
}

// Events are kept in the place of those that were, more than one version of each node brings and fewer.
func TestEventsAreKept(t *testing.T) {
	g := group(t, million.Config{Clusters: 20, Nodes: 10, Peers: 1})
	none := 0
	for _, kept := range []int{0, 1000, 100} {
		if err := g.Keep(t.Context(), kept); err != nil {
			t.Fatal(err)
		}
		if kept == 0 {
			none = g.Snapshot
			continue
		}
		heap, snapshot := g.Events/kept, (g.Snapshot-none)/kept
		if heap < 100 || heap > 2000 || snapshot < 50 || snapshot > 500 {
			t.Errorf("%d events: %d B each on the heap, %d B in a snapshot", kept, heap, snapshot)
		}
	}
}

// What takes long ends with its context, with the cause.
func TestEndsWithContext(t *testing.T) {
	enough := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	g := group(t, million.Config{Clusters: 20, Nodes: 10, Peers: 1})
	cancel(enough)
	load := million.Load{Peers: 1, Interval: time.Second, Span: time.Second, InFlight: 100}
	_, filled := million.New(ctx, g.Config)
	_, ran := g.Run(ctx, load)
	for i, err := range []error{filled, g.Keep(ctx, 100), ran} {
		if !errors.Is(err, enough) {
			t.Errorf("%d ends with %v", i, err)
		}
	}
}
