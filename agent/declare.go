package agent

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/musterhq/muster/agent/life"
	"github.com/musterhq/muster/fsm"
)

// Declared is a discovery that this peer's configuration holds.
type Declared struct {
	Name  string
	Spec  fsm.Spec // as it was judged by Validate's rules
	Place string   // where it is written, for people
}

// declarePause is how long it is until a discovery that could not be applied is tried again.
const declarePause = 2 * time.Second

// declare applies the discoveries of this peer's configuration, as an operator would: when the peer has started and when it
// has read its configuration again, once each. What is stored already is not written, so several peers may hold the same
// ones; where they differ, who came last wins, and so does an operator until then. One that a configuration does not hold
// any more stays: a file that is lost must not take clusters with it. One that has to wait, for another of its name to be
// gone, say, holds up no other.
func (a *Agent) declare(ctx context.Context, now *live) error {
	if len(now.declared) == 0 || !a.catchUp(ctx) {
		return nil
	}
	left := slices.Clone(now.declared)
	for tries := 0; ; tries++ {
		left = slices.DeleteFunc(left, func(d Declared) bool { return a.declared(ctx, &d, tries) })
		if len(left) == 0 || !life.Pause(ctx, declarePause) {
			return nil
		}
	}
}

// declared applies one discovery and says whether there is nothing left to do about it.
func (a *Agent) declared(ctx context.Context, d *Declared, tries int) bool {
	changed, err := a.applyDeclared(ctx, d)
	switch {
	case err == nil && changed:
		a.log.Info("declared discovery applied", "discovery", d.Name, "place", d.Place)
	case err == nil:
		a.log.Debug("declared discovery is unchanged", "discovery", d.Name, "place", d.Place)
	case errors.Is(err, fsm.ErrInvalid) || errors.Is(err, fsm.ErrTooLarge):
		a.log.Error("declared discovery was refused", "discovery", d.Name, "place", d.Place, "error", err)
	case tries == 0 && ctx.Err() == nil:
		a.log.Warn("declared discovery is not applied yet", "discovery", d.Name, "place", d.Place, "error", err)
		return false
	default:
		return false
	}
	return true
}

func (a *Agent) applyDeclared(ctx context.Context, d *Declared) (changed bool, err error) {
	r, err := a.fresh(ctx)
	if err != nil {
		return false, err
	}
	if old := r.Discovery(d.Name); old != nil && !old.Deleting && old.Spec.Equal(d.Spec) {
		return false, nil
	}
	cause := fsm.Cause{Kind: fsm.CauseOperator, Peer: a.cfg.Name, Address: "configuration"}
	res, err := a.Propose(ctx, &fsm.DiscoveryApply{Name: d.Name, Spec: d.Spec, Cause: cause})
	if err == nil {
		err = res.Err()
	}
	return res.Closed, err
}
