package fleet

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/musterhq/muster/refresh"
)

// DocumentsOf makes a cluster of so many nodes without listeners and returns what each says now.
func DocumentsOf(t *testing.T, nodes int) func(node int) refresh.Document {
	t.Helper()
	config := Config{Nodes: nodes}
	if err := config.normalise(); err != nil {
		t.Fatal(err)
	}
	f := &Fleet{config: config, layout: layout{Clusters: 1, Nodes: nodes, Prefix: config.Prefix, Base: config.Base}}
	s := &share{part: f.part(plan{clusters: 1}, 0), log: slog.New(slog.DiscardHandler), began: time.Now()}
	c := newCluster(s.layout, 0, 1, 0)
	for i := range c.nodes {
		if err := s.publish(&c.nodes[i], born); err != nil {
			t.Fatal(err)
		}
	}
	return func(node int) refresh.Document {
		n := &c.nodes[node]
		return s.document(n, n.answer.Load(), time.Now())
	}
}

// Churn is a churn whose steps a test takes.
type Churn struct{ *churn }

// Step does one change.
func (c Churn) Step(ctx context.Context) error { return c.step(ctx) }

// NewChurn makes one for a fleet of this configuration that is told what act is told.
func NewChurn(t *testing.T, config Config, act func(v Verb, a Action) (Cluster, error)) Churn {
	t.Helper()
	if err := config.normalise(); err != nil {
		t.Fatal(err)
	}
	l := layout{Clusters: config.Clusters, Nodes: config.Nodes, Prefix: config.Prefix, Base: config.Base}
	return Churn{newChurn(&config, l, func(_ context.Context, v Verb, a Action) (Cluster, error) { return act(v, a) })}
}
