package agent

import (
	"context"
	"errors"

	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/agent/consensus"
	"github.com/musterhq/muster/agent/entries"
	"github.com/musterhq/muster/agent/peerport"
	"github.com/musterhq/muster/fsm"
)

// outcome is whether a command that failed was applied.
type outcome int

const (
	notApplied outcome = iota // surely not: it may be tried again
	unknown                   // it may have been, or may yet be
)

// errNotSent: a request never went out to the peer that leads.
var errNotSent = errors.New("the leader could not be asked")

// classify judges, once for all callers, what an error of raft or of the way to the leader says about a command.
func classify(err error) outcome {
	for _, sure := range []error{
		consensus.ErrNotLeading, entries.ErrFull, errNotSent, errRemoteNotLeading,
		raft.ErrNotLeader, raft.ErrLeadershipTransferInProgress, raft.ErrEnqueueTimeout,
	} {
		if errors.Is(err, sure) {
			return notApplied
		}
	}
	if peerport.NotSent(err) {
		return notApplied
	}
	return unknown
}

// apiError is what a caller of the API gets when a command did not come through.
func apiError(err error) *fsm.Error {
	if known, ok := errors.AsType[*fsm.Error](err); ok {
		return known
	}
	if classify(err) == notApplied {
		return fsm.Errorf(fsm.CodeUnavailable, "no leader took the command (%s); it was not done, try again", err)
	}
	return fsm.Errorf(fsm.CodeUnknown, "the outcome is unknown (%s); every write may safely be repeated", cause(err))
}

func cause(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return errors.New("no answer in time")
	}
	return err
}
