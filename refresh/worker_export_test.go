package refresh

import (
	"context"

	"github.com/musterhq/muster/fsm"
)

// Refresh does one claim, and returns what it has to say of unchanged clusters, which is not sent.
func (w *Worker) Refresh(ctx context.Context, c *fsm.Claim) *fsm.RefreshUnchanged {
	w.refresh(ctx, c)
	return w.Unchanged()
}

// Trace does for a claim all that its tracing takes, and nothing else.
func (w *Worker) Trace(ctx context.Context, c *fsm.Claim) {
	ctx, work := w.follow(ctx, &round{claim: c})
	_, step := w.step(ctx, "poll")
	step.Set("muster.cluster", c.Peer)
	step.Count("muster.nodes", 1<<20)
	step.End(context.Canceled)
	work.End(nil)
}
