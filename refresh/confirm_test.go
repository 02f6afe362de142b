package refresh_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/fsm"
)

// answer completes the open claim of a cluster as its holder would, when these nodes fail for it and the others are well.
func (l *leader) answer(id uint64, failing ...string) {
	l.t.Helper()
	r := l.state.Read()
	subject := fsm.Subject{Kind: fsm.KindRefresh, ID: id}
	open, schedule, spec := r.Claim(subject), r.Schedule(subject), r.RefreshOf(r.ClusterByID(id))
	if open == nil {
		l.t.Fatalf("cluster %d has no open claim", id)
	}
	round := fsm.Round{
		Now: open.Granted, Peer: open.Peer, Full: open.Full(), Alone: open.Alone, Observed: schedule.Observed, Spec: spec,
	}
	for n := range r.Nodes(id) {
		switch {
		case !open.Full() && !slices.Contains(open.Names, n.ID):
		case slices.Contains(failing, n.ID):
			round.Reports = append(round.Reports, fsm.Unreachable(n.ID, fsm.ReasonTimeout, ""))
		default:
			round.Reports = append(round.Reports, fsm.Report{Node: n.ID, Reachable: true, State: fsm.StateUp})
		}
	}
	facts, notes := fsm.Diff(r.View(id), schedule.Notes, round)
	done := &fsm.RefreshComplete{
		Cluster: id, Token: open.Token, Last: true, Base: r.ClusterByID(id).Index, Facts: facts, Notes: notes,
	}
	if notes != nil && slices.ContainsFunc(notes.Failures, func(f fsm.Failure) bool { return f.Count < spec.DownAfter }) {
		done.ConfirmIn = spec.RetryAfter
	}
	if res := l.apply(done).Results[0]; res.Error != nil {
		l.t.Fatal(res.Error)
	}
}

// next beats until a claim on the cluster is granted, a minute at most, and returns it.
func (l *leader) next(id uint64) *fsm.Claim {
	l.t.Helper()
	for range 240 {
		l.apply(l.beat(quarter)...)
		l.finishRuns()
		if open := l.state.Read().Claim(fsm.Subject{Kind: fsm.KindRefresh, ID: id}); open != nil {
			return open
		}
	}
	l.t.Fatalf("no claim on cluster %d within a minute", id)
	return nil
}

// ask grants a full round of a cluster to a peer, as an operator's word would.
func (l *leader) ask(id uint64, peer string) {
	l.t.Helper()
	res := l.apply(&fsm.ClaimGrant{Kind: fsm.KindRefresh, Peer: peer, TTL: 15 * fsm.Second, Reason: fsm.WhyAsked, IDs: []uint64{id}}).Results[0]
	if res.Error != nil {
		l.t.Fatal(res.Error)
	}
}

// A node that failed is asked again by another peer, half a second later and it alone; the cluster's own rhythm stays.
func TestFailuresAreConfirmedByAnother(t *testing.T) {
	l := lead(t, 100, "a", "b", "c")
	id := l.read(3)[0]
	l.begin()
	first := l.next(id)
	failed := l.mono
	l.answer(id, "n1")
	second := l.next(id)
	if wait := l.mono - failed; wait < 500*time.Millisecond || wait > 750*time.Millisecond {
		t.Errorf("the failure is looked at after %s", wait)
	}
	if second.Reason != fsm.WhyConfirm || second.Peer == first.Peer || second.Alone || !cmp.Equal(second.Names, []string{"n1"}) {
		t.Errorf("after a failure of %s: %+v", first.Peer, second)
	}
	l.answer(id, "n1")
	r := l.state.Read()
	if n := r.Node(id, "n1"); n.Reach.Value != fsm.NotReachable {
		t.Errorf("two peers failed to ask it, its reach is %+v", n.Reach)
	}
	done := r.Schedule(first.Subject).Done
	third := l.next(id)
	slot := fsm.NextSlot(first.Subject, 30*fsm.Second, done)
	if !third.Full() || third.Granted < slot || third.Granted.Sub(slot) > 250 {
		t.Errorf("the next round is %+v, its slot is %s", third, slot)
	}
}

// A failure that another peer does not see is forgotten.
func TestFailureNotConfirmed(t *testing.T) {
	l := lead(t, 100, "a", "b", "c")
	id := l.read(3)[0]
	l.begin()
	for range 20 {
		l.next(id)
		l.answer(id, "n1")
		if confirm := l.next(id); confirm.Reason != fsm.WhyConfirm {
			t.Fatalf("not a confirming round: %+v", confirm)
		}
		l.answer(id)
		if n := l.state.Read().Node(id, "n1"); n.Reach.Value == fsm.NotReachable {
			t.Fatal("one peer's failures made it unreachable")
		}
		if next := l.next(id); !next.Full() {
			t.Fatalf("looked at once more without need: %+v", next)
		}
		l.answer(id)
	}
}

// With many failures wanted the confirming poll goes round all peers before one of them is asked twice.
func TestConfirmingGoesRound(t *testing.T) {
	l := lead(t, 100, "a", "b", "c", "d")
	id := l.read(3)[0]
	l.respec(func(s *fsm.RefreshSpec) { s.DownAfter = 4 })
	l.begin()
	seen := map[string]bool{}
	for i := range 4 {
		open := l.next(id)
		if seen[open.Peer] || open.Alone {
			t.Fatalf("poll %d goes to %s, alone %v, after %v", i, open.Peer, open.Alone, seen)
		}
		seen[open.Peer] = true
		l.answer(id, "n1")
	}
	if n := l.state.Read().Node(id, "n1"); n.Reach.Value != fsm.NotReachable {
		t.Errorf("four peers failed to ask it, its reach is %+v", n.Reach)
	}
}

// An only peer confirms its own failures, and says that it was alone; so does an only peer of `on`.
func TestAlonePeerConfirmsItself(t *testing.T) {
	for on, peers := range map[string][]string{fsm.OnAny: {"a"}, "a": {"a", "b", "c"}} {
		l := lead(t, 100, peers...)
		id := l.read(3)[0]
		l.respec(func(s *fsm.RefreshSpec) { s.On = on })
		l.begin()
		for i := range 2 {
			if open := l.next(id); open.Peer != "a" || !open.Alone {
				t.Errorf("on %s: poll %d is %+v", on, i, open)
			}
			l.answer(id, "n1")
		}
		if n := l.state.Read().Node(id, "n1"); n.Reach.Value != fsm.NotReachable {
			t.Errorf("on %s: its reach is %+v", on, n.Reach)
		}
	}
}

// Nodes that failed for different peers are asked by those that have not failed them yet; nobody is alone with one node
// because another peer failed with another.
func TestFailuresOfDifferentPeers(t *testing.T) {
	l := lead(t, 100, "a", "b")
	id := l.read(3)[0]
	l.respec(func(s *fsm.RefreshSpec) { s.DownAfter = 3 })
	l.begin()
	first := l.next(id)
	l.answer(id)
	other := map[string]string{"a": "b", "b": "a"}[first.Peer]
	l.ask(id, first.Peer)
	l.answer(id, "n1")
	l.ask(id, other)
	l.answer(id, "n1", "n2") // n1 has failed for both, n2 for one
	notes := l.state.Read().Schedule(first.Subject).Notes
	if n1, n2 := notes.Failure("n1"), notes.Failure("n2"); len(n1.Peers) != 2 || !cmp.Equal(n2.Peers, []string{other}) {
		t.Fatalf("failures are %+v", notes.Failures)
	}
	open := l.next(id)
	if open.Reason != fsm.WhyConfirm || open.Peer != first.Peer || open.Alone {
		t.Errorf("n2 failed for %s alone, and is confirmed by %+v", other, open)
	}
	l.answer(id, "n1")
	if n := l.state.Read().Node(id, "n2"); n.Reach.Value == fsm.NotReachable {
		t.Error("one peer's failures made a node unreachable")
	}
}

// Nodes that need no confirming any more, since they are not asked at all, leave nothing to do before the next slot.
func TestNothingLeftToConfirm(t *testing.T) {
	l := lead(t, 100, "a", "b")
	id := l.read(3)[0]
	l.begin()
	first := l.next(id)
	l.answer(id, "n1")
	r := l.state.Read()
	res := l.apply(&fsm.ClusterChange{Changes: []fsm.Change{{Cluster: id, Base: r.ClusterByID(id).Index, Facts: []fsm.Fact{{
		Type: fsm.NodeDecommissioned, Node: "n1",
		Before: &fsm.LifecyclePart{Lifecycle: fsm.Commissioned}, After: &fsm.LifecyclePart{Lifecycle: fsm.Decommissioned},
	}}}}}).Results[0]
	if res.Error != nil {
		t.Fatal(res.Error)
	}
	next := l.next(id)
	if slot := fsm.NextSlot(first.Subject, 30*fsm.Second, r.Schedule(first.Subject).Done); !next.Full() || next.Granted < slot {
		t.Errorf("next is %+v, its slot is %s", next, slot)
	}
}
