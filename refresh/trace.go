package refresh

import (
	"context"

	"github.com/musterhq/muster/fsm"
)

// Tracer follows the rounds of a worker. None of its methods waits for anything.
type Tracer interface {
	// Claim begins the work on a claim.
	Claim(ctx context.Context, name string, c *fsm.Claim) (context.Context, Step)
	// Step begins a part of the step that ctx belongs to.
	Step(ctx context.Context, name string) (context.Context, Step)
	// Together is the context of what is done for several steps at once.
	Together(ctx context.Context, steps []Step) context.Context
}

// Step is something that takes time, until its End. Its errors and values are no secrets.
type Step = interface {
	Set(key, value string)
	Count(key string, n int)
	End(err error)
}

// idle is a step that nobody follows.
type idle struct{}

func (idle) Set(string, string) {}
func (idle) Count(string, int)  {}
func (idle) End(error)          {}

// follow begins the work on a round.
func (w *Worker) follow(ctx context.Context, round *round) (context.Context, Step) {
	if w.cfg.Tracer == nil {
		return ctx, idle{}
	}
	ctx, step := w.cfg.Tracer.Claim(ctx, "refresh", round.claim)
	if len(round.asked) > 0 {
		step.Set("muster.cluster", round.asked[0].Cluster)
	}
	return ctx, step
}

// step begins a part of what is done for a round.
func (w *Worker) step(ctx context.Context, name string) (context.Context, Step) {
	if w.cfg.Tracer == nil {
		return ctx, idle{}
	}
	return w.cfg.Tracer.Step(ctx, name)
}

// poll asks the nodes of a round and waits until there is a word of every one that is waited for.
func (w *Worker) poll(ctx context.Context, round *round) *asking {
	within, step := w.step(ctx, "poll")
	polls := w.ask(within, round)
	w.await(ctx, polls)
	if w.cfg.Tracer != nil {
		polls.tell(step)
	}
	return polls
}

// tell ends the step of polls with what came of them.
func (a *asking) tell(step Step) {
	a.mu.Lock()
	defer a.mu.Unlock()
	unreachable := 0
	for i := range a.round.words {
		if report := a.round.words[i].report; report != nil && !report.Reachable {
			unreachable++
		}
	}
	step.Count("muster.nodes", len(a.round.words))
	step.Count("muster.nodes.answered", a.came)
	step.Count("muster.nodes.unreachable", unreachable)
	step.End(a.round.failed)
}
