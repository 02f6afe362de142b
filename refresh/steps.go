package refresh

import (
	"context"
	"slices"
	"time"

	"github.com/musterhq/muster/fsm"
)

// Steps is one claim's round, done step by step by somebody who polls the nodes and keeps the time himself: all that a
// Worker does beside that. A simulation drives rounds so, in one goroutine. What waits does so in the worker's Log and
// Replica alone.
type Steps struct {
	worker *Worker
	round  *round
	asked  bool // once
}

// Question is a node to ask. With a Tag the answer may be NotModified, as in Conditional.
type Question struct {
	Target
	At   int // its number in the round
	Kind string
	Tag  string
}

// Polls are those of a round under way.
type Polls struct {
	Questions []Question
	worker    *Worker
	asking    *asking
	again     bool
}

// Steps begins the round of a claim, nil when it is not open any more.
func (w *Worker) Steps(claim *fsm.Claim) *Steps {
	if round := w.begin(claim); round != nil {
		return &Steps{worker: w, round: round}
	}
	return nil
}

// Ask says whom to ask now, all at once: everyone at first, and after an End that wants it those that are to be asked again.
// About the nodes of some kinds a third party is asked, one for each kind.
func (s *Steps) Ask(third ...string) *Polls {
	a := s.worker.asking(s.round)
	p := &Polls{worker: s.worker, asking: a, again: s.asked}
	s.asked = true
	for i := range s.round.asked {
		q := &s.round.asked[i]
		if s.round.words[i].came {
			continue
		}
		if slices.Contains(third, q.kind) && !slices.ContainsFunc(p.Questions, func(o Question) bool { return o.Kind == q.kind }) {
			a.third++
		}
		p.Questions = append(p.Questions, Question{Target: q.Target, At: i, Kind: q.kind, Tag: a.said(i).tag})
	}
	return p
}

// Hear takes the answer of one node.
func (p *Polls) Hear(q Question, x Answer) { p.asking.hear(q.At, p.asking.word(q.At, x)) }

// HearThird takes the answer of a third party about the nodes of its kind, in their order.
func (p *Polls) HearThird(kind string, reports []fsm.Report, err error) {
	var at []int
	for _, q := range p.Questions {
		if q.Kind == kind {
			at = append(at, q.At)
		}
	}
	p.asking.hearThird(at, reports, err)
}

// Late is called a while (Patience) after the polls began, and again after each wait it returns, until all have answered or
// the round is over all the same: the others are not waited for. What they say is heard nevertheless.
func (p *Polls) Late(ctx context.Context) (wait time.Duration, over bool) {
	return p.worker.tardy(ctx, p.asking)
}

// Patience is how long it is until Late is first called.
const Patience = grace

// Over is called when all of them have ended, those too that were not waited for.
func (p *Polls) Over() {
	p.asking.end()
	if !p.again {
		p.worker.over(p.asking)
	}
}

// End reports the round once nobody is waited for. True when nodes are to be asked once more, in full, before that can be
// done; then it is called again.
func (s *Steps) End(ctx context.Context) (again bool) { return s.worker.end(ctx, s.round) }

// Unchanged takes what rounds found unchanged and was not sent yet, as Run does a moment after the first of it; nil for
// nothing.
func (w *Worker) Unchanged() *fsm.RefreshUnchanged {
	batch, _ := w.unchanged.take()
	return batch
}
