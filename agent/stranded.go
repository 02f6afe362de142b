package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/musterhq/muster/agent/consensus"
	"github.com/musterhq/muster/fsm"
)

// A leader that restores a backup puts it into its own state before the others have it. If it is lost just then, and the
// others go on without, it is left with a state that the group never had, at an index where raft takes no notice. Every word
// to the leader therefore names the epoch, and a peer whose epoch the leader does not know must not go on.
//
// Nor does the leader know the epoch of a peer that is only behind, where a backup was restored that is older than that epoch or
// of another group. What tells them apart is the entry by which a new leader says so: it comes right after a restore, and only
// once a majority has that.

// errStranded: this peer holds a state that its group does not know.
var errStranded = errors.New("a restore on this peer never reached the group, which went on without it: " +
	"wipe the data directory and let this peer join anew")

// errBehind: this peer's epoch was replaced by a restore that is on its way to it.
var errBehind = fsm.Errorf(fsm.CodeUnavailable, "a restore replaced the epoch that this peer is in, and is on its way to it")

// knows says whether a peer is in an epoch of the group's. One without an epoch has only begun.
func (t *term) knows(ctx context.Context, w word) error {
	marks := t.agent.machine.Read().Meta().Epochs
	known := func(e fsm.EpochMark) bool { return e.Epoch == w.Epoch }
	if w.Epoch == "" || slices.ContainsFunc(marks, known) {
		return nil
	}
	if err := t.leads(ctx); err != nil {
		return consensus.ErrNotLeading // so that nobody is told by a leader of the past
	}
	if w.Bare {
		return fsm.Errorf(fsm.CodeGone, "epoch %s is not known in this group", w.Epoch)
	}
	return errBehind
}

// bare says whether a state is as a restore made it, without any entry since.
func bare(r *fsm.Reader) bool {
	m := r.Meta()
	last := len(m.Epochs) - 1
	return last > 0 && m.Seq == m.Epochs[last].First && r.Settings().Index == m.Index
}

// stranded ends this peer when the leader does not know the epoch it is in.
func (a *Agent) stranded(err error) {
	if errors.Is(err, fsm.ErrGone) {
		a.ending.End(fmt.Errorf("%w (%w)", errStranded, err))
	}
}
