package agent

import (
	"context"
	"net/http"
	"time"

	"github.com/musterhq/muster/agent/trace"
	"github.com/musterhq/muster/fsm"
)

// openTrace makes what follows requests and claims, where the configuration says so.
func (a *Agent) openTrace(ctx context.Context) (err error) {
	a.trace, err = trace.New(ctx, trace.Options{
		Config: a.cfg.Trace, Peer: a.id, Name: a.cfg.Name, Group: a.cfg.Group, GroupID: a.groupID, Version: a.cfg.Version,
		Dial: a.cfg.Seams.TraceDial, Log: a.log, Registerer: a.cfg.Registerer,
	})
	return err
}

// outgoing has requests to other peers name what they are a part of.
func (a *Agent) outgoing() func(context.Context, http.Header) {
	if a.trace == nil {
		return nil
	}
	return a.trace.Inject
}

// granted tells of the claims that a term grants.
func (a *Agent) granted(ctx context.Context) func(time.Time, []*fsm.Claim) {
	if a.trace == nil {
		return nil
	}
	return func(proposed time.Time, claims []*fsm.Claim) { a.trace.Granted(ctx, proposed, claims) }
}

// prepareTrace reads the files of headers and authorities again, for take to go by them and to follow another share. What a
// configuration says of another collector, or of other files, waits for a restart: headers must not go to a collector they are not
// for.
func (a *Agent) prepareTrace(next trace.Config) (take func(), err error) {
	now := a.cfg.Trace
	now.Ratio = next.Ratio
	if now != next {
		return func() { a.trace.Follow(next.Ratio) }, nil
	}
	return a.trace.Prepare(next)
}
