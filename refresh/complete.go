package refresh

import (
	"context"
	"errors"
	"strconv"

	"github.com/musterhq/muster/fsm"
)

const (
	maxTries = 3        // of one completion on bases that move
	maxPart  = 64 << 10 // bytes of the facts of one part
)

// complete compares a round with the replica and reports it. A base that has moved is waited for and the same reports are
// compared again; after the last try the claim is given back.
func (w *Worker) complete(ctx context.Context, claim *fsm.Claim, round *round) {
	for try := range maxTries {
		c := w.compare(claim, round)
		if c == nil {
			return
		}
		c.Again = try > 0
		if len(c.Facts) == 0 && c.Notes == nil && c.Error == "" && !c.Again {
			w.unchanged.add(claim, c.Took, c.Base)
			w.metrics.unchanged.Inc()
			return
		}
		err := w.send(ctx, c)
		var refused *fsm.Error
		if !errors.As(err, &refused) || refused.Code != fsm.CodeStale {
			w.tell(claim, err)
			return
		}
		index, _ := strconv.ParseUint(refused.Fields["index"], 10, 64)
		if index == c.Base && len(c.Facts) > 0 {
			round.failed = refused // it has not moved: what was computed is refused, and will be again
			continue
		}
		if err := w.cfg.Replica.WaitIndex(ctx, index); err != nil {
			return
		}
	}
	w.metrics.abandoned.Inc()
	_, err := w.cfg.Log.Propose(ctx, &fsm.ClaimAbandon{
		Claims: []fsm.Ticket{claim.Ticket()}, Error: "the cluster kept moving while it was refreshed",
	})
	w.tell(claim, err)
}

func (w *Worker) tell(claim *fsm.Claim, err error) {
	if err != nil {
		w.cfg.Logger.Debug("refresh was not accepted", "cluster", claim.Subject.ID, "token", claim.Token, "error", err)
	}
}

// compare makes the completion of a round from the replica as it stands; nil when the cluster is gone or the claim closed.
// It begins with the part that is wanted next: facts of earlier ones are in the view already. Base is the version of the
// cluster; for what is unchanged it is the index of the replica. Notes is nil when neither the notes nor what is to be looked
// at again would change.
func (w *Worker) compare(claim *fsm.Claim, round *round) *fsm.RefreshComplete {
	r := w.cfg.Replica.Read()
	view := r.View(round.cluster)
	schedule := r.Schedule(claim.Subject)
	open := r.Claim(claim.Subject)
	if view.Cluster == nil || schedule == nil || open == nil || open.Token != claim.Token {
		return nil
	}
	c := &fsm.RefreshComplete{
		Cluster: round.cluster, Token: claim.Token, Part: open.Parts, Last: true, Base: view.Cluster.Index, Took: round.took,
	}
	if round.failed != nil {
		c.Error, c.Notes = round.failed.Error(), schedule.Notes
		return c
	}
	facts, notes := fsm.Diff(view, schedule.Notes, fsm.Round{
		Now: claim.Granted, Peer: claim.Peer, Full: claim.Full(), Alone: claim.Alone,
		Observed: schedule.Observed, Spec: round.spec, Reports: round.reports,
	})
	c.Facts = facts
	c.ConfirmIn, c.OddIn = lookAgain(schedule.Notes, notes, round.spec)
	if len(facts) == 0 && fsm.SameNotes(notes, schedule.Notes) && c.ConfirmIn == 0 && c.OddIn == 0 {
		c.Base = r.Meta().Index
		return c
	}
	if c.Notes = notes; notes == nil {
		c.Notes = &fsm.Notes{}
	}
	return c
}

// lookAgain is how soon failed nodes that are not confirmed yet, and shards in a first odd round, are looked at again.
func lookAgain(before, after *fsm.Notes, spec fsm.RefreshSpec) (confirm, odd fsm.Duration) {
	if after == nil {
		return 0, 0
	}
	for _, f := range after.Failures {
		if f.Count < spec.DownAfter {
			confirm = spec.RetryAfter
		}
	}
	for _, o := range after.Odd {
		known := false
		if before != nil {
			for _, b := range before.Odd {
				known = known || b == o
			}
		}
		if !known {
			odd = spec.RetryAfter
		}
	}
	return confirm, odd
}

// send proposes a completion, in parts when its facts are many; each part builds on the version the one before it left.
func (w *Worker) send(ctx context.Context, c *fsm.RefreshComplete) error {
	facts := c.Facts
	for part := c.Part; ; part++ {
		n := fsm.FactsWithin(facts, maxPart)
		p := *c
		p.Part, p.Facts, p.Last = part, facts[:n], n == len(facts)
		if !p.Last {
			p.Notes = nil
		}
		res, err := w.cfg.Log.Propose(ctx, &p)
		if err == nil {
			err = res.Err()
		}
		if err != nil {
			return err
		}
		w.metrics.events.Add(float64(n))
		if p.Last {
			return nil
		}
		facts, c.Base = facts[n:], res.Claim.Base
	}
}
