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
