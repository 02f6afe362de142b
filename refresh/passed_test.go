package refresh_test

import (
	"context"
	"testing"
	"time"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

// hamlet is three nodes: n0 is silent, n1 says something new, the others what they said.
type hamlet struct{ silent, news bool }

func (*hamlet) Close() {}

func (h *hamlet) Probe(ctx context.Context, t refresh.Target) fsm.Report {
	return h.ProbeIf(ctx, t, "").Report
}

func (h *hamlet) ProbeIf(ctx context.Context, t refresh.Target, etag string) refresh.Answer {
	switch {
	case h.silent && t.Node == "n0":
		<-ctx.Done()
		return refresh.Answer{Report: t.Failed(context.Cause(ctx))}
	case h.news && t.Node == "n1":
		r := wellReport(t)
		r.Version = "2"
		return refresh.Answer{Report: r, ETag: "u"}
	case etag != "":
		return refresh.Answer{Report: fsm.Report{Node: t.Node}, ETag: etag, NotModified: true}
	}
	return refresh.Answer{Report: wellReport(t), ETag: "t"}
}

// What one says anew is compared while the poll of another, which was passed over, goes on with what it began with.
func TestNewsBesideOneThatIsPassedOver(t *testing.T) {
	h := &hamlet{}
	atWork(t, h, []int{3}, func(t *testing.T, b *bench, ids []uint64) {
		b.round(ids...)
		b.respec(func(s *fsm.RefreshSpec) { s.DownAfter = 1 })
		h.silent = true
		expectFacts(t, b.round(ids...), "node.unreachable n0", "cluster.health_changed ")
		expectUnchanged(t, b.round(ids...))
		h.news = true
		b.grant(ids...)
		expectFacts(t, b.settle(time.Second), "node.info_changed n1", "cluster.versions_uniform ")
		b.settle(10 * time.Second)
	})
}
