package refresh

import (
	"context"
	"time"

	"github.com/musterhq/muster/fsm"
)

// grace is how long a round waits for all its nodes before it goes on with those that have answered, if that is longer
// than patience times what those took.
const (
	grace    = 250 * time.Millisecond
	patience = 4
)

// await waits until there is a word of every node. Facts of those that have answered do not wait for the others: they are
// sent as parts of their own. Nor is a node waited for that stands unreachable and is silent as before.
func (w *Worker) await(ctx context.Context, a *asking) {
	timer := time.NewTimer(grace)
	defer timer.Stop()
	for {
		select {
		case <-a.done:
			return
		case <-timer.C:
		}
		wait, over := w.tardy(ctx, a)
		if over {
			return
		}
		timer.Reset(wait)
	}
}

// tardy looks at what has come so far: over when nobody is waited for any more, else how long it is until the next look.
func (w *Worker) tardy(ctx context.Context, a *asking) (wait time.Duration, over bool) {
	came, wait := a.progress()
	if wait > 0 {
		return wait, false
	}
	if w.passOver(a) {
		return 0, true
	}
	if came > a.told {
		a.told = came
		w.early(ctx, a)
	}
	return grace, false
}

// progress is how many words there are, and how long it is until those to come are called late. None is called so while the
// round may fail yet, or has: if a third party fails no node changes, whatever the others say.
func (a *asking) progress() (came int, wait time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.third > 0 || a.round.failed != nil {
		return a.came, grace
	}
	return a.came, max(grace, patience*a.took) - a.since(a.round.began)
}

// passOver ends the waiting when all nodes without a word stand unreachable: what is said for them is what the view says,
// and their polls go on by themselves. False when there are others to wait for.
func (w *Worker) passOver(a *asking) bool {
	if a.round.claim.Reason != fsm.WhyDue || w.late.has(a.round.cluster) {
		return false
	}
	r := w.cfg.Replica.Read()
	a.mu.Lock()
	defer a.mu.Unlock()
	stand := map[int]fsm.Report{}
	for i := range a.round.words {
		if a.round.words[i].came {
			continue
		}
		id := a.round.asked[i].Node
		n, f := r.Node(a.round.cluster, id), a.round.notes.Failure(id)
		if n == nil || n.Reach.Value != fsm.NotReachable || f == nil || f.Count < a.round.spec.DownAfter {
			return false
		}
		stand[i] = fsm.Unreachable(id, n.Reach.Reason, n.Reach.Detail)
	}
	for i, report := range stand {
		same := len(a.round.before) > i && a.round.before[i].reason == report.Reason
		a.round.words[i] = word{came: true, same: same, report: &report}
	}
	return true
}

// early sends the facts of the nodes that have answered, if there are any. Whatever comes of that, the last part is
// compared with what the view is then.
func (w *Worker) early(ctx context.Context, a *asking) {
	a.mu.Lock()
	reports := a.round.reports()
	a.mu.Unlock()
	r := w.cfg.Replica.Read()
	round := a.round
	b := w.basis(r, round)
	if b == nil || len(reports) == 0 {
		return
	}
	facts, _ := fsm.Diff(b.view, b.schedule.Notes, b.round(round, reports, false))
	if len(facts) == 0 {
		return
	}
	c := b.part(round)
	c.Facts, c.Last = facts, false
	if round.first == nil || b.view.Cluster.Index != round.base {
		round.first = b.view
	}
	left, err := w.send(ctx, c)
	if err == nil {
		round.base = left
		err = w.cfg.Replica.WaitIndex(ctx, left)
	}
	w.tell(round.claim, err)
}
