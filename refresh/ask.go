package refresh

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/musterhq/muster/fsm"
)

// asking is the polls of a round under way.
type asking struct {
	round  *round
	before []told        // the round's when the polls began: it may be forgotten while some go on
	done   chan struct{} // closed when every poll has ended

	mu    sync.Mutex
	left  int           // goroutines that have not ended
	third int           // third parties that have not answered
	open  int           // nodes whose poll has not ended
	came  int           // words there are
	took  time.Duration // until the last of them came
	told  int           // of them when an early part was last looked for
	late  bool          // a poll that was not waited for brought something else than was said for it
	free  []func()      // what the polls hold

	polls *atomic.Int64 // the worker's count of what is open
	since func(time.Time) time.Duration
}

// asking is the polls of a round that there is no word of yet. What is left is whoever begins them.
func (w *Worker) asking(round *round) *asking {
	a := &asking{round: round, before: round.before, done: make(chan struct{}), left: 1, polls: &w.open, since: w.since}
	for i := range round.words {
		if !round.words[i].came {
			a.open++
		}
	}
	w.open.Add(int64(a.open))
	return a
}

// ask polls the nodes of a round that there is no word of yet, all at once. They are polled until ctx ends, each for the
// timeout at most; whoever waits for a place among the polls under way has not begun yet.
func (w *Worker) ask(ctx context.Context, round *round) *asking {
	a := w.asking(round)
	polling := a.polling(ctx)
	askers, waited := map[string]Asker{}, false
	for i := range round.asked {
		q := &round.asked[i]
		asker, known := askers[q.kind]
		if !known {
			if round.words[i].came {
				continue
			}
			asker = w.asker(a, q.kind)
			askers[q.kind] = asker
			if p, ok := asker.(ClusterProber); ok && w.enter(ctx) {
				a.begin(1)
				go w.askThirdParty(a.polling(ctx), a, p, q.kind)
			}
		}
		p, ok := asker.(Prober)
		if !ok || round.words[i].came {
			continue
		}
		if !w.tryEnter() {
			if !w.enter(ctx) {
				break
			}
			waited = true
		}
		own := polling
		if waited {
			own = a.polling(ctx)
		}
		a.begin(0)
		go w.askNode(own, a, p, i)
	}
	a.end()
	return a
}

// polling is the time that polls which begin now have.
func (a *asking) polling(ctx context.Context) context.Context {
	ctx, cancel := context.WithTimeout(ctx, a.round.spec.Timeout.Std())
	a.free = append(a.free, cancel)
	return ctx
}

// asker is the prober of a kind for as long as the polls last; nil, and the round has failed, when there is none.
func (w *Worker) asker(a *asking, kind string) Asker {
	spec := &a.round.spec
	config := spec.Config
	if kind != spec.Prober {
		config = ""
	}
	asker, done, err := w.askers.use(kind, config, spec.ConnectTimeout.Std())
	if err != nil {
		a.fail(fmt.Errorf("prober %s: %w", kind, err))
		return nil
	}
	a.free = append(a.free, done)
	return asker
}

func (w *Worker) askThirdParty(ctx context.Context, a *asking, p ClusterProber, kind string) {
	defer a.end()
	defer w.leave()
	var at []int
	var targets []Target
	for i := range a.round.asked {
		if q := &a.round.asked[i]; q.kind == kind {
			at, targets = append(at, i), append(targets, q.Target)
		}
	}
	began := w.cfg.Now()
	reports, err := p.ProbeCluster(ctx, targets)
	w.metrics.countThird(kind, reports, err)
	w.metrics.took(kind, w.since(began))
	a.hearThird(at, reports, err)
}

// hearThird takes the word of a third party about the nodes it was asked for.
func (a *asking) hearThird(at []int, reports []fsm.Report, err error) {
	if err != nil {
		a.fail(err)
	} else {
		for i := range reports {
			a.hear(at[i], word{report: &reports[i]})
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.third--
}

func (w *Worker) askNode(ctx context.Context, a *asking, p Prober, i int) {
	defer a.end()
	defer w.leave()
	began, kind := w.cfg.Now(), a.round.asked[i].kind
	x := askOne(ctx, p, a, i)
	w.metrics.count(kind, x.report)
	w.metrics.took(kind, w.since(began))
	a.hear(i, x)
}

// askOne polls one node, conditionally where the prober and what the node said before allow it.
func askOne(ctx context.Context, p Prober, a *asking, i int) word {
	t := a.round.asked[i].Target
	if cond, ok := p.(Conditional); ok {
		return a.word(i, cond.ProbeIf(ctx, t, a.said(i).tag))
	}
	return a.word(i, Answer{Report: p.Probe(ctx, t)})
}

// said is what a node said before, where that is known to be true of the view.
func (a *asking) said(i int) told {
	if a.before == nil {
		return told{}
	}
	return a.before[i]
}

// word is what an answer says beside what was said before.
func (a *asking) word(i int, answer Answer) word {
	before, limit := a.said(i), a.round.spec.LagLimit
	if answer.NotModified {
		return word{same: !near(answer.WorstLagMS, limit), tag: before.tag}
	}
	report := answer.Report
	x := word{report: &report, same: !report.Reachable && before.reason == report.Reason}
	if !lagging(report, limit) {
		x.tag = answer.ETag
	}
	return x
}

// lagging says whether a shard is near the limit: then every poll reads the whole document, since a tag does not cover lag.
func lagging(report fsm.Report, limit fsm.Duration) bool {
	for _, s := range report.Shards {
		if near(s.LagMS, limit) {
			return true
		}
	}
	return false
}

// near says whether a lag may be past the limit, or past it still: it must fall below four fifths to be well again.
func near(lagMS *int64, limit fsm.Duration) bool {
	return limit > 0 && lagMS != nil && *lagMS >= int64(limit-limit/5)
}

func (a *asking) begin(third int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.left++
	a.third += third
}

func (a *asking) end() {
	a.mu.Lock()
	a.left--
	last := a.left == 0
	a.mu.Unlock()
	if last {
		a.polls.Add(-int64(a.open)) // of those there is no prober or no time for
		for _, free := range a.free {
			free()
		}
		close(a.done)
	}
}

func (a *asking) fail(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.round.failed = err
}

// hear takes the word of a node, or notes that it came too late and differs from what was taken instead. Where this peer
// could not ask there is none, and the round has failed.
func (a *asking) hear(i int, x word) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.open--
	a.polls.Add(-1)
	if given := &a.round.words[i]; given.came {
		a.late = a.late || x.report == nil || x.report.Reachable || x.report.Reason != given.report.Reason
		return
	}
	if x.report != nil && x.report.Reason == ReasonShortage {
		a.round.failed = fmt.Errorf("this peer could not ask %s: %s", x.report.Node, x.report.Detail)
		return
	}
	x.came = true
	a.round.words[i] = x
	a.came++
	a.took = a.since(a.round.began)
}

// tryEnter takes a place among the polls under way if there is one.
func (w *Worker) tryEnter() bool {
	select {
	case w.polls <- struct{}{}:
		return true
	default:
		return false
	}
}

// enter waits for a place; false when ctx ended first.
func (w *Worker) enter(ctx context.Context) bool {
	select {
	case w.polls <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (w *Worker) leave() { <-w.polls }
