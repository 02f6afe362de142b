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
func (w *Worker) complete(ctx context.Context, round *round) {
	claim := round.claim
	for try := range maxTries {
		b := w.basis(w.cfg.Replica.Read(), round)
		if b == nil {
			return
		}
		c, unchanged := b.compare(round)
		c.Again = try > 0
		if unchanged && !c.Again {
			if round.stand.version == b.view.Cluster.Index && claim.Full() {
				w.said.keep(round.cluster, round.said(b.schedule.Notes))
			}
			w.standing(ctx, round, b.asOf)
			return
		}
		_, err := w.send(ctx, c)
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
		w.cfg.Logger.Debug("refresh was not accepted", "cluster_id", claim.Subject.ID, "token", claim.Token, "error", err)
	}
}

// basis is what a round is compared with: a cluster as the replica has it at one index.
type basis struct {
	view     *fsm.View
	schedule *fsm.Schedule
	open     *fsm.Claim
	asOf     uint64
}

// basis reads it; nil when the cluster is gone or the claim closed.
func (w *Worker) basis(r *fsm.Reader, round *round) *basis {
	b := &basis{
		view: r.View(round.cluster), schedule: r.Schedule(round.claim.Subject), open: r.Claim(round.claim.Subject),
		asOf: r.Meta().Index,
	}
	if b.view.Cluster == nil || b.schedule == nil || b.open == nil || b.open.Token != round.claim.Token {
		return nil
	}
	return b
}

// part is the one that is wanted next: facts of earlier ones are in the view already.
func (b *basis) part(round *round) *fsm.RefreshComplete {
	return &fsm.RefreshComplete{
		Cluster: round.cluster, Token: round.claim.Token, Part: b.open.Parts, Last: true, Base: b.view.Cluster.Index,
		Took: round.took,
	}
}

func (b *basis) round(round *round, reports []fsm.Report, full bool) fsm.Round {
	return fsm.Round{
		Now: round.claim.Granted, Peer: round.claim.Peer, Full: full, Alone: round.claim.Alone,
		Observed: b.schedule.Observed, Spec: round.spec, Reports: reports,
	}
}

// compare makes the completion of a round. Unchanged means that it is the only part and nothing would change: no fact, no note,
// and nothing is to be looked at again.
func (b *basis) compare(round *round) (c *fsm.RefreshComplete, unchanged bool) {
	c = b.part(round)
	c.Notes = b.schedule.Notes
	if round.failed != nil {
		c.Error = fsm.FailureText(round.failed)
		return c, false
	}
	heard := b.round(round, round.reports(), round.claim.Full())
	facts, notes := fsm.Diff(b.view, b.schedule.Notes, heard)
	if round.first != nil && b.view.Cluster.Index == round.base {
		// What is counted was seen against the view before the round's earlier parts: in theirs it is as if it had always been.
		_, notes = fsm.Diff(round.first, b.schedule.Notes, heard)
	}
	c.Facts = facts
	c.ConfirmIn, c.OddIn = lookAgain(b.schedule.Notes, notes, round.spec)
	if !fsm.SameNotes(notes, c.Notes) {
		c.Notes = notes
	}
	return c, c.Part == 0 && len(facts) == 0 && c.Notes == b.schedule.Notes && c.ConfirmIn == 0 && c.OddIn == 0
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

// send proposes a completion, in parts when its facts are many; each part builds on the version the one before it left. It
// returns the version that the last of them left, where the claim stays open.
func (w *Worker) send(ctx context.Context, c *fsm.RefreshComplete) (left uint64, err error) {
	ctx, step := w.step(ctx, "complete")
	defer func() { step.End(err) }()
	step.Count("muster.facts", len(c.Facts))
	facts := c.Facts
	for part := c.Part; ; part++ {
		n := fsm.FactsWithin(facts, maxPart)
		p := *c
		p.Part, p.Facts, p.Last = part, facts[:n], c.Last && n == len(facts)
		if !p.Last {
			p.Notes = nil
		}
		res, err := w.cfg.Log.Propose(ctx, &p)
		if err == nil {
			err = res.Err()
		}
		switch {
		case err != nil:
			return 0, err
		case res.Already:
			// A part of whose fate nothing was known has been accepted, and need not have been this one: the replica lags behind it.
			return 0, fsm.Errorf(fsm.CodeStale, "there are parts already").With("index", strconv.FormatUint(res.Claim.Base, 10))
		}
		w.metrics.events.Add(float64(n))
		if p.Last {
			return 0, nil
		}
		if facts, c.Base = facts[n:], res.Claim.Base; len(facts) == 0 && !c.Last {
			return c.Base, nil
		}
	}
}
