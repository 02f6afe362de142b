package refresh_test

import (
	"context"
	"log/slog"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

// TestTracesCostNothingWhileOff: a worker without a tracer allocates nothing for it.
func TestTracesCostNothingWhileOff(t *testing.T) {
	d := &desk{leader: lead(t, 1000, "a"), closed: make(chan struct{})}
	w := traced(t, d, nil)
	ctx, claim := t.Context(), &fsm.Claim{Subject: fsm.Subject{Kind: fsm.KindRefresh, ID: 1 << 40}, Token: 1 << 40}
	if got := testing.AllocsPerRun(100, func() { w.Trace(ctx, claim) }); got != 0 {
		t.Errorf("%v allocations", got)
	}
}

func traced(t *testing.T, d *desk, tracer refresh.Tracer) *refresh.Worker {
	t.Helper()
	w, err := refresh.NewWorker(refresh.WorkerConfig{
		Claims: d, Log: d, Replica: d, Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(),
		Probers: refresh.Probers{Kinds: map[string]refresh.Maker{
			"sidecar": func(fsm.JSON, refresh.Env) (refresh.Asker, error) { return settled{tags: true}, nil },
		}},
		Tracer: tracer,
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// diary is a tracer that writes down what begins within what, and what ends.
type diary struct{ lines []string }

type withinKey struct{}

func (d *diary) Claim(ctx context.Context, name string, c *fsm.Claim) (context.Context, refresh.Step) {
	return d.begin(ctx, name+" "+c.Reason)
}

func (d *diary) Step(ctx context.Context, name string) (context.Context, refresh.Step) {
	return d.begin(ctx, name)
}

func (d *diary) Together(ctx context.Context, _ []refresh.Step) context.Context { return ctx }

func (d *diary) begin(ctx context.Context, name string) (context.Context, refresh.Step) {
	if outer, ok := ctx.Value(withinKey{}).(string); ok {
		name = outer + " > " + name
	}
	return context.WithValue(ctx, withinKey{}, name), &entry{d, name}
}

type entry struct {
	diary *diary
	name  string
}

func (e *entry) Set(key, value string) { e.name += " " + key + "=" + value }

func (e *entry) Count(string, int) {}

func (e *entry) End(error) { e.diary.lines = append(e.diary.lines, e.name) }

// TestARoundIsTraced: its polls and its completion are parts of it, and all that begins ends.
func TestARoundIsTraced(t *testing.T) {
	d := &desk{leader: lead(t, 1000, "a"), closed: make(chan struct{})}
	id := d.read(3)[0]
	notes := &diary{}
	w := traced(t, d, notes)
	grant := &fsm.ClaimGrant{Kind: fsm.KindRefresh, Peer: "a", TTL: fsm.Minute, Reason: fsm.WhyDue, IDs: []uint64{id}}
	w.Refresh(t.Context(), d.apply(grant).Results[0].Claim)
	slices.Sort(notes.lines)
	name := d.Read().ClusterByID(id).Name
	want := []string{"refresh due > complete", "refresh due > poll", "refresh due muster.cluster=" + name}
	if diff := cmp.Diff(want, notes.lines); diff != "" {
		t.Errorf("the round (-want +got):\n%s", diff)
	}
}
