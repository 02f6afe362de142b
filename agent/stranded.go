package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/musterhq/muster/fsm"
)

// A leader that restores a backup puts it into its own state before the others have it. If it is lost just then, and the
// others go on without, it is left with a state that the group never had, at an index where raft takes no notice. Every word
// to the leader therefore names the epoch, and a peer whose epoch the leader does not know must not go on.

// errStranded: this peer holds a state that its group does not know.
var errStranded = errors.New("a restore on this peer never reached the group, which went on without it: " +
	"wipe the data directory and let this peer join anew")

// knows says whether an epoch that a peer is in is one of the group's. A peer without one has only begun.
func (t *term) knows(ctx context.Context, epoch string) error {
	marks := t.agent.machine.Read().Meta().Epochs
	known := func(e fsm.EpochMark) bool { return e.Epoch == epoch }
	if epoch == "" || slices.ContainsFunc(marks, known) {
		return nil
	}
	if err := t.agent.verifier.leads(ctx); err != nil {
		return errNotLeading // so that nobody is told by a leader of the past
	}
	return fsm.Errorf(fsm.CodeGone, "epoch %s is not known in this group", epoch)
}

// stranded ends this peer when the leader does not know the epoch it is in.
func (a *Agent) stranded(err error) {
	if errors.Is(err, fsm.ErrGone) {
		a.ending.end(fmt.Errorf("%w (%w)", errStranded, err))
	}
}
