package refresh

import (
	"context"
	"log/slog"
)

// ended tells of a round in the log. There are too many to put a line together that nobody wants.
func (w *Worker) ended(ctx context.Context, round *round) {
	if !w.cfg.Logger.Enabled(ctx, slog.LevelDebug) || len(round.asked) == 0 {
		return
	}
	w.cfg.Logger.Debug("refresh ended", "cluster", round.asked[0].Cluster, "reason", round.claim.Reason, "nodes", len(round.asked),
		"took", w.since(round.began).String())
}
