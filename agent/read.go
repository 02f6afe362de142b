package agent

import (
	"context"

	"github.com/musterhq/muster/agent/consensus"
	"github.com/musterhq/muster/fsm"
)

// leads returns without an error once a quorum has said, since this was called, that this peer leads.
func (t *term) leads(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callWait)
	defer cancel()
	if err := t.pulse.Awake(ctx); err != nil {
		return err
	}
	return t.agent.asker.Leads(ctx)
}

// index is the index from which a linearizable read may be served: this term's barrier has returned, and the leader is
// still the leader, in this term.
func (t *term) index(ctx context.Context, _ nothing) (uint64, error) {
	if err := t.leads(ctx); err != nil {
		return 0, err
	}
	if !t.lasts() {
		return 0, consensus.ErrNotLeading
	}
	return t.agent.machine.Read().Meta().Index, nil
}

// fresh is a reader that sees everything acknowledged before the call: the leader says how far the state was, and this
// peer's replica is read once it is as far.
func (a *Agent) fresh(ctx context.Context) (*fsm.Reader, error) {
	index, err := callIndex.call(ctx, a, nothing{})
	if err != nil {
		return nil, fsm.Errorf(fsm.CodeUnavailable, "no leader confirmed the read; try again, or read what this peer has with ?stale")
	}
	ctx, cancel := context.WithTimeout(ctx, callWait)
	defer cancel()
	if err := a.machine.WaitIndex(ctx, index); err != nil {
		return nil, fsm.Errorf(fsm.CodeUnavailable, "this peer is behind the leader (%s); try again, or read with ?stale", err)
	}
	return a.machine.Read(), nil
}
