package discovery

import (
	"context"

	"github.com/musterhq/muster/fsm"
)

// Tracer follows the runs of a runner. None of its methods waits for anything.
type Tracer interface {
	// Claim begins the work on a claim.
	Claim(ctx context.Context, name string, c *fsm.Claim) (context.Context, Step)
	// Step begins a part of the step that ctx belongs to.
	Step(ctx context.Context, name string) (context.Context, Step)
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

// follow begins the work on a run.
func (r *Runner) follow(ctx context.Context, u *run) (context.Context, Step) {
	if r.cfg.Tracer == nil {
		return ctx, idle{}
	}
	ctx, step := r.cfg.Tracer.Claim(ctx, "run", u.claim)
	step.Set("muster.discovery", u.discovery.Name)
	return ctx, step
}

// step begins a part of what is done for a run.
func (r *Runner) step(ctx context.Context, name string) (context.Context, Step) {
	if r.cfg.Tracer == nil {
		return ctx, idle{}
	}
	return r.cfg.Tracer.Step(ctx, name)
}
