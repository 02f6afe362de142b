package refresh_test

import (
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

// silent is longer than any poll may take.
const silent = time.Hour

// What the others say does not wait for a silent node: it is told while the round goes on, which ends as if it had been one.
func TestFactsDoNotWaitForASilentNode(t *testing.T) {
	v := &village{}
	atWork(t, v, []int{3}, func(t *testing.T, b *bench, ids []uint64) {
		b.round(ids...)
		b.round(ids...)
		v.takes = map[string]time.Duration{"n0": silent}
		v.say("n1", "u", func(r *fsm.Report) { r.State = fsm.StateDown })
		claim := b.grant(ids...)[0]
		sent := b.settle(400 * time.Millisecond)
		expectFacts(t, sent, "node.down n1", "cluster.health_changed ")
		if open := b.state.Read().Claim(claim.Subject); open == nil || open.Parts != 1 {
			t.Fatalf("after an early part the claim is %+v", open)
		}
		sent = b.settle(10 * time.Second)
		done, ok := sent[0].(*fsm.RefreshComplete)
		if len(sent) != 1 || !ok || !done.Last || len(done.Facts) > 0 || done.Notes.Failure("n0") == nil || done.ConfirmIn == 0 {
			t.Fatalf("then %d commands, the first %+v", len(sent), sent[0])
		}
		if last := b.state.Read().Schedule(claim.Subject).Last; last.Outcome != fsm.OutcomeChanged {
			t.Errorf("the round ended as %q", last.Outcome)
		}
	})
}

// Nothing is sent early when there is no news, nor before those that have answered took a fourth of the time.
func TestWhatIsNotSentEarly(t *testing.T) {
	v := &village{}
	atWork(t, v, []int{3}, func(t *testing.T, b *bench, ids []uint64) {
		b.round(ids...)
		v.takes = map[string]time.Duration{"n0": 2 * time.Second}
		b.grant(ids...)
		if sent := b.settle(1900 * time.Millisecond); len(sent) > 0 {
			t.Errorf("%d commands without news", len(sent))
		}
		expectUnchanged(t, b.settle(10*time.Second))
		v.takes["n1"] = 400 * time.Millisecond
		v.say("n1", "u", func(r *fsm.Report) { r.State = fsm.StateDown })
		b.grant(ids...)
		if sent := b.settle(1500 * time.Millisecond); len(sent) > 0 {
			t.Errorf("%d commands before four times what n1 took", len(sent))
		}
		expectFacts(t, b.settle(300*time.Millisecond), "node.down n1", "cluster.health_changed ")
		b.settle(10 * time.Second)
		subject := fsm.Subject{Kind: fsm.KindRefresh, ID: ids[0]}
		if last := b.state.Read().Schedule(subject).Last; last.Outcome != fsm.OutcomeChanged {
			t.Errorf("the round whose news were early ended as %q", last.Outcome)
		}
	})
}

// What is counted over rounds is counted once for each, whether its facts were sent early or not: here an attribute that
// changes all the time, beside a node that is slow.
func TestEarlyFactsAreCountedOnce(t *testing.T) {
	var want []string
	for _, slow := range []time.Duration{0, 2 * time.Second} {
		v := &village{}
		atWork(t, v, []int{2}, func(t *testing.T, b *bench, ids []uint64) {
			v.takes = map[string]time.Duration{"n0": slow}
			var got []string
			for i := range 8 {
				v.say("n1", "", func(r *fsm.Report) { r.Attributes = map[string]string{"clock": fmt.Sprint(i)} })
				b.round(ids...)
				notes := b.state.Read().Schedule(fsm.Subject{Kind: fsm.KindRefresh, ID: ids[0]}).Notes
				got = append(got, fmt.Sprintf("%v %v", notes, b.state.Read().Node(ids[0], "n1").Muted))
			}
			if want == nil {
				want = got
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("beside a slow node (-without +with):\n%s", diff)
			}
		})
	}
}

// An early part of which nobody knew that it was accepted is not sent twice, and the rest of the round is told.
func TestEarlyPartOfUnknownFate(t *testing.T) {
	v := &village{}
	atWork(t, v, []int{3}, func(t *testing.T, b *bench, ids []uint64) {
		b.round(ids...)
		v.takes = map[string]time.Duration{"n0": time.Second}
		v.say("n0", "u", func(r *fsm.Report) { r.State = fsm.StateDown })
		v.say("n1", "u", func(r *fsm.Report) { r.State = fsm.StateDown })
		before := b.state.Read()
		lagging := true
		b.replica = func() *fsm.Reader {
			if lagging {
				return before
			}
			return b.state.Read()
		}
		b.answer = func(c fsm.Command) (fsm.Result, error) {
			if c, ok := c.(*fsm.RefreshComplete); ok && c.Last {
				lagging = len(b.waited) == 0 // the first of them meets a part the replica has not seen
			}
			res := b.apply(c).Results[0]
			if c, ok := c.(*fsm.RefreshComplete); ok && !c.Last {
				return fsm.Result{}, fsm.Errorf(fsm.CodeUnknown, "no leader")
			}
			lagging = false
			return res, nil
		}
		b.mu.Lock()
		b.apply(&fsm.ClaimGrant{Kind: fsm.KindRefresh, Peer: "a", TTL: 15 * fsm.Second, Reason: fsm.WhyDue, IDs: ids})
		before = b.state.Read()
		claim := before.Claim(fsm.Subject{Kind: fsm.KindRefresh, ID: ids[0]})
		b.mu.Unlock()
		b.claims <- []*fsm.Claim{claim}
		b.settle(10 * time.Second)
		r := b.state.Read()
		if r.Claim(claim.Subject) != nil {
			t.Error("the claim is still open")
		}
		for _, id := range []string{"n0", "n1"} {
			if n := r.Node(ids[0], id); n.State.Value != fsm.StateDown {
				t.Errorf("%s is %s", id, n.State.Value)
			}
		}
	})
}

// Nor is it taken for the first of many parts of what is told in the end: all of that is told.
func TestEarlyPartOfUnknownFateBeforeManyParts(t *testing.T) {
	v := &village{takes: map[string]time.Duration{"n0": time.Second}}
	atWork(t, v, []int{20}, func(t *testing.T, b *bench, ids []uint64) {
		for i := range 20 {
			v.say(fmt.Sprintf("n%d", i), "u", func(r *fsm.Report) { *r = wordy{}.Probe(t.Context(), refresh.Target{}) })
		}
		before := b.state.Read()
		b.replica = func() *fsm.Reader {
			if len(b.waited) == 0 {
				return before
			}
			return b.state.Read()
		}
		b.answer = func(c fsm.Command) (fsm.Result, error) {
			res := b.apply(c).Results[0]
			if len(b.sent) == 1 {
				return fsm.Result{}, fsm.Errorf(fsm.CodeUnknown, "no leader")
			}
			return res, nil
		}
		b.mu.Lock()
		claims := b.apply(&fsm.ClaimGrant{Kind: fsm.KindRefresh, Peer: "a", TTL: 15 * fsm.Second, Reason: fsm.WhyDue, IDs: ids}).Granted
		before = b.state.Read()
		b.mu.Unlock()
		b.claims <- claims
		b.settle(10 * time.Second)
		r := b.state.Read()
		if last := r.Schedule(claims[0].Subject).Last; r.Claim(claims[0].Subject) != nil || last.Outcome != fsm.OutcomeChanged {
			t.Errorf("the round ended with %+v", last)
		}
		for n := range r.Nodes(ids[0]) {
			if len(n.Said.Shards) != 200 {
				t.Errorf("%s has %d shards", n.ID, len(n.Said.Shards))
			}
		}
	})
}

// A node that stands unreachable and is silent does not hold its cluster's rounds up, and keeps its slots.
func TestStandingSilentNodeIsPassedOver(t *testing.T) {
	v := &village{}
	atWork(t, v, []int{3}, func(t *testing.T, b *bench, ids []uint64) {
		b.round(ids...)
		b.respec(func(s *fsm.RefreshSpec) { s.DownAfter, s.Timeout = 1, 5*fsm.Second })
		v.takes = map[string]time.Duration{"n0": silent}
		expectFacts(t, b.round(ids...), "node.unreachable n0", "cluster.health_changed ")
		for range 5 { // asked more often than a poll may last
			b.grant(ids...)
			expectUnchanged(t, b.settle(time.Second))
		}
		b.settle(10 * time.Second)
		// It comes back but answers slowly: that is seen by the round after the one that did not wait.
		v.takes["n0"] = 2 * time.Second
		expectUnchanged(t, b.round(ids...))
		expectFacts(t, b.round(ids...), "node.reachable n0", "cluster.health_changed ")
		expectUnchanged(t, b.round(ids...))
	})
}

// That others are asked once more in between does not keep the next round from waiting for a node that was passed over.
func TestPassedOverBeforeAConfirmingRound(t *testing.T) {
	v := &village{}
	atWork(t, v, []int{3}, func(t *testing.T, b *bench, ids []uint64) {
		b.round(ids...)
		b.respec(func(s *fsm.RefreshSpec) { s.DownAfter = 1 })
		v.takes = map[string]time.Duration{"n0": silent}
		expectFacts(t, b.round(ids...), "node.unreachable n0", "cluster.health_changed ")
		v.takes["n0"] = 2 * time.Second
		expectUnchanged(t, b.round(ids...))
		b.mu.Lock()
		confirming := b.apply(&fsm.ClaimGrant{
			Kind: fsm.KindRefresh, Peer: "a", TTL: 15 * fsm.Second, Reason: fsm.WhyConfirm, IDs: ids, Names: []string{"n1"},
		}).Granted
		b.mu.Unlock()
		b.claims <- confirming
		b.settle(10 * time.Second)
		expectFacts(t, b.round(ids...), "node.reachable n0", "cluster.health_changed ")
	})
}

// A node that an operator wants asked is waited for, and so is one of another fault than it stands for.
func TestWhoIsNotPassedOver(t *testing.T) {
	v := &village{}
	atWork(t, v, []int{3}, func(t *testing.T, b *bench, ids []uint64) {
		b.round(ids...)
		b.respec(func(s *fsm.RefreshSpec) { s.DownAfter = 1 })
		v.say("n0", "", func(r *fsm.Report) { *r = fsm.Report{Reason: fsm.ReasonRefused} })
		expectFacts(t, b.round(ids...), "node.unreachable n0", "cluster.health_changed ")
		v.takes = map[string]time.Duration{"n0": silent}
		expectUnchanged(t, b.round(ids...))
		expectFacts(t, b.round(ids...), "node.unreachable n0")
		v.takes = map[string]time.Duration{"n0": 2 * time.Second}
		v.say("n0", "", func(*fsm.Report) {})
		b.mu.Lock()
		asked := b.apply(&fsm.ClaimGrant{Kind: fsm.KindRefresh, Peer: "a", TTL: 15 * fsm.Second, Reason: fsm.WhyAsked, IDs: ids}).Granted
		b.mu.Unlock()
		b.claims <- asked
		expectFacts(t, b.settle(10*time.Second), "node.reachable n0", "cluster.health_changed ")
	})
}

// The time of a poll begins with it: what waits for a place is not taken for a silent node.
func TestWaitingForAPlaceIsNoFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &village{takes: map[string]time.Duration{}}
		for i := range 6 {
			v.takes[fmt.Sprintf("n%d", i)] = 2 * time.Second
		}
		b := &bench{leader: lead(t, 100, "a"), claims: make(chan []*fsm.Claim, 1)}
		ids := b.read(6)
		w, err := refresh.NewWorker(refresh.WorkerConfig{
			Claims: b, Log: b, Replica: b, Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(), MaxPolls: 2,
			Probers: refresh.Probers{Kinds: map[string]refresh.Maker{
				"sidecar": func(fsm.JSON, refresh.Env) (refresh.Asker, error) { return v, nil },
			}},
		})
		if err != nil {
			t.Fatal(err)
		}
		running(t, w)
		b.grant(ids...)
		b.settle(time.Second)
		if n := w.Polls(); n != 6 {
			t.Errorf("%d polls under way or waiting", n)
		}
		b.settle(10 * time.Second)
		for n := range b.state.Read().Nodes(ids[0]) {
			if n.Reach.Value != fsm.Reachable {
				t.Errorf("%s is %+v", n.ID, n.Reach)
			}
		}
		if notes := b.state.Read().Schedule(fsm.Subject{Kind: fsm.KindRefresh, ID: ids[0]}).Notes; notes != nil {
			t.Errorf("notes: %+v", notes)
		}
	})
}
