package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/musterhq/muster/agent/consensus"
	"github.com/musterhq/muster/agent/life"
	"github.com/musterhq/muster/agent/peerport"
	"github.com/musterhq/muster/fsm"
)

const (
	proposeWait  = 10 * time.Second // of one command, tries included, where the caller set nothing shorter
	proposePause = 25 * time.Millisecond
)

// errRemoteNotLeading: the peer a command was forwarded to does not lead either.
var errRemoteNotLeading = errors.New("the peer believed to lead does not")

// Propose takes a command to the leader, one hop at most, and brings its result. What surely was not applied is tried again
// until ctx ends or proposeWait is over. A command that its token fences is tried again also when the outcome is unknown, so
// that completions reach the next leader as soon as there is one.
func (a *Agent) Propose(ctx context.Context, c fsm.Command) (fsm.Result, error) {
	ctx, step := a.trace.Step(ctx, "propose")
	step.Set("muster.command", fsm.KindName(c))
	res, err := a.deliver(ctx, c)
	step.End(cmp.Or(err, res.Err()))
	return res, err
}

// deliver tries to until it is done, or may not be tried again.
func (a *Agent) deliver(ctx context.Context, c fsm.Command) (fsm.Result, error) {
	ctx, cancel := context.WithTimeout(ctx, proposeWait)
	defer cancel()
	frame, late := fsm.Frame(c), fsm.Unhurried(c)
	if len(frame) > fsm.MaxEntry {
		return fsm.Result{}, fsm.Errorf(fsm.CodeTooLarge, "the change takes %d bytes in the log; at most %d fit: send fewer at once",
			len(frame), fsm.MaxEntry)
	}
	for {
		if t := a.term.Load(); t != nil {
			if err := t.room(c); err != nil {
				return fsm.Result{}, apiError(err)
			}
		}
		results, err := a.proposeOnce(ctx, frame, 1, late)
		if err == nil {
			return results[0], nil
		}
		if classify(err) == unknown && !fsm.Fenced(c) || !life.Pause(ctx, proposePause) {
			return fsm.Result{}, apiError(err)
		}
	}
}

// proposeOnce tries the leader of this moment.
func (a *Agent) proposeOnce(ctx context.Context, frames []byte, count int, late bool) ([]fsm.Result, error) {
	if t := a.term.Load(); t != nil {
		return t.propose(ctx, frames, count, late)
	}
	id := a.leaders.ID()
	if id == "" || id == a.id {
		return nil, consensus.ErrNotLeading
	}
	raw, err := a.askLeader(ctx, peerport.Request{
		Peer: id, Method: http.MethodPost, Path: pathPropose, Body: frames,
	})
	if status, ok := errors.AsType[*peerport.StatusError](err); ok {
		return nil, remoteError(status)
	}
	if err != nil {
		return nil, err
	}
	results, err := fsm.DecodeResults(raw)
	if err != nil {
		return nil, fmt.Errorf("answer of the leader: %w", err)
	}
	if len(results) != count {
		return nil, fmt.Errorf("answer of the leader: %d results for %d commands", len(results), count)
	}
	return results, nil
}
