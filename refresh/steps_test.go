package refresh_test

import (
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

// stepped is a worker whose rounds the test drives by hand, and the time it goes by.
type stepped struct {
	*bench
	at time.Time
}

func byHand(t *testing.T, nodes int) (*stepped, uint64) {
	t.Helper()
	s := &stepped{bench: &bench{leader: lead(t, 100, "a", "b"), claims: make(chan []*fsm.Claim, 1)}, at: time.UnixMilli(1_000_000)}
	id := s.read(nodes)[0]
	w, err := refresh.NewWorker(refresh.WorkerConfig{
		Claims: s, Log: s, Replica: s, Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(),
		Now: func() time.Time { return s.at },
	})
	if err != nil {
		t.Fatal(err)
	}
	s.worker = w
	return s, id
}

func (s *stepped) begin(id uint64) *refresh.Steps {
	return s.worker.Steps(s.apply(&fsm.ClaimGrant{
		Kind: fsm.KindRefresh, Peer: "a", TTL: 15 * fsm.Second, Reason: fsm.WhyDue, IDs: []uint64{id},
	}).Granted[0])
}

// answer has the nodes of a question list say that they are up, with a tag.
func answer(p *refresh.Polls, tag string, questions ...refresh.Question) {
	for _, q := range questions {
		x := refresh.Answer{Report: fsm.Report{Node: q.Node, Reachable: true, State: fsm.StateUp}, ETag: tag}
		x.NotModified = q.Tag == tag
		p.Hear(q, x)
	}
}

func tagsOf(p *refresh.Polls) (out []string) {
	for _, q := range p.Questions {
		out = append(out, q.Node+q.Tag)
	}
	return out
}

// A round driven by hand is the round that Run does: facts, then nothing, then tags, and once more in full when one has moved.
func TestStepsAreARound(t *testing.T) {
	s, id := byHand(t, 2)
	ctx := t.Context()
	round := func(tag string) (polls [][]string) {
		x := s.begin(id)
		for again := true; again; {
			p := x.Ask()
			polls = append(polls, tagsOf(p))
			answer(p, tag, p.Questions...)
			p.Over()
			again = x.End(ctx)
		}
		if n := s.worker.Polls(); n > 0 {
			t.Errorf("%d polls are left", n)
		}
		if u := s.worker.Unchanged(); u != nil {
			s.apply(u)
		}
		return polls
	}
	for i, want := range [][][]string{
		{{"n0", "n1"}}, {{"n0", "n1"}}, {{"n0t", "n1t"}}, {{"n0t", "n1t"}},
	} {
		if got := round("t"); !slices.EqualFunc(got, want, slices.Equal) {
			t.Fatalf("round %d asked %v, want %v", i, got, want)
		}
	}
	s.answer = func(fsm.Command) (fsm.Result, error) {
		t.Error("something is told of a round without news")
		return fsm.Result{}, nil
	}
	x := s.begin(id)
	p := x.Ask()
	answer(p, "t", p.Questions[0])
	answer(p, "u", p.Questions[1])
	if !x.End(ctx) {
		t.Fatal("a tag stands for a report though another has moved")
	}
	if p = x.Ask(); len(p.Questions) != 1 || p.Questions[0].Tag != "" || p.Questions[0].Node != "n0" {
		t.Errorf("then it asks %+v", p.Questions)
	}
	answer(p, "t", p.Questions...)
	if x.End(ctx) || s.worker.Unchanged() == nil {
		t.Error("the round is not told as unchanged")
	}
}

// What answered does not wait for what is silent, by the clock of whoever drives the round; nor is anything told while a third
// party has not answered, nor anything at all once it has failed.
func TestStepsGoByTheirOwnClock(t *testing.T) {
	s, id := byHand(t, 3)
	ctx := t.Context()
	x := s.begin(id)
	p := x.Ask()
	answer(p, "t", p.Questions[:2]...)
	s.at = s.at.Add(refresh.Patience - time.Millisecond)
	if wait, over := p.Late(ctx); wait != time.Millisecond || over || len(s.sent) > 0 {
		t.Fatalf("a moment early: wait %s, over %v, sent %d", wait, over, len(s.sent))
	}
	s.at = s.at.Add(time.Millisecond)
	if _, over := p.Late(ctx); over || len(s.sent) != 1 || s.sent[0].(*fsm.RefreshComplete).Last {
		t.Fatalf("over %v, sent %+v", over, s.sent)
	}
	p.Hear(p.Questions[2], refresh.Answer{Report: fsm.Unreachable("n2", fsm.ReasonTimeout, "")})
	x.End(ctx)
	if last := s.sent[len(s.sent)-1].(*fsm.RefreshComplete); len(s.sent) != 2 || !last.Last || last.Notes.Failure("n2") == nil {
		t.Errorf("in the end %+v", last)
	}

	x, s.sent = s.begin(id), nil
	p = x.Ask(p.Questions[0].Kind)
	s.at = s.at.Add(time.Minute)
	if _, over := p.Late(ctx); over || len(s.sent) > 0 {
		t.Error("something is told before the third party has answered")
	}
	p.HearThird(p.Questions[0].Kind, nil, errors.New("no leader"))
	x.End(ctx)
	if c := s.sent[0].(*fsm.RefreshComplete); c.Error != "no leader" || len(c.Facts) > 0 {
		t.Errorf("of a third party that failed %+v is told", c)
	}
	if p.Over(); s.worker.Polls() != 0 {
		t.Errorf("%d polls are left of a third party that failed", s.worker.Polls())
	}
}
