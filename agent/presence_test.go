package agent

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/fsm"
)

// quick makes absences count within a minute: read each 10 s, missing after 30 s, removed after 60 s.
func quick(s *fsm.Spec) {
	s.Interval, s.MissingAfter, s.RemoveAfter = 10*fsm.Second, 30*fsm.Second, 60*fsm.Second
	s.Refresh.Interval = fsm.Minute
}

func nodesOf(r *fsm.Reader) (present, missing int) {
	for c := range r.Clusters("") {
		for n := range r.Nodes(c.ID) {
			if n.Presence == fsm.Missing {
				missing++
			} else {
				present++
			}
		}
	}
	return present, missing
}

// holds says whether so many nodes are present and missing.
func holds(present, missing int) func(*fsm.Reader) bool {
	return func(r *fsm.Reader) bool {
		p, m := nodesOf(r)
		return p == present && m == missing
	}
}

// TestFailingSourceRemovesNothing lets a source fail for long, then come back: two events, and every node stays as it was.
func TestFailingSourceRemovesNothing(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		w.settled(4, 3, quick)
		leader := w.leader()
		before := leader.seq()
		w.source.set(nil, errors.New("no cluster leader"))
		w.pass(4 * time.Minute)
		w.source.set(recordsOf(4, 3), nil)
		leader.await("recovered", told(before, fsm.DiscoveryRecovered, 1))
		w.pass(time.Minute)
		leader.tells(before, "*", fsm.DiscoveryFailed, fsm.DiscoveryRecovered)
		if !holds(12, 0)(leader.machine.Read()) {
			t.Error("nodes went missing by a failing source")
		}
	})
}

// TestEmptySourceIsHeld empties a source, and lets another lose more than it may: nothing goes missing, however long it
// lasts, until an operator releases exactly that set; then nodes are missing and removed after their times.
func TestEmptySourceIsHeld(t *testing.T) {
	for _, c := range []struct {
		name string
		left int // clusters of 3 still listed, of 10
	}{{"empty", 0}, {"beyond max_shrink", 6}} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, 3, func(t *testing.T, w *world) {
				w.settled(10, 3, quick)
				leader := w.leader()
				before := leader.seq()
				w.source.set(recordsOf(c.left, 3), nil)
				r := leader.await("held", told(before, fsm.DiscoveryHeld, 1))
				w.pass(4 * time.Minute)
				leader.tells(before, "*", fsm.DiscoveryHeld)
				held := r.Discovery("all").Held
				if len(held.Nodes) != 3*(10-c.left) || held.Owned != 30 {
					t.Errorf("held are %d of %d", len(held.Nodes), held.Owned)
				}

				res, err := leader.Propose(t.Context(), &fsm.DiscoveryRelease{Name: "all", Hash: "another", Cause: operator})
				if err != nil || !errors.Is(res.Err(), fsm.ErrConflict) {
					t.Errorf("releasing another set gave %v, %v", res.Err(), err)
				}
				before, began := leader.seq(), time.Now()
				leader.apply(&fsm.DiscoveryRelease{Name: "all", Hash: held.Hash, Cause: operator})
				w.goneInTime(leader, before, began, 3*c.left, 3*(10-c.left))
			})
		})
	}
}

// goneInTime checks that nodes are missing after 30 to 50 s and removed, with their clusters, after 60 to 80 s.
func (w *world) goneInTime(leader *peer, before uint64, began time.Time, stay, gone int) {
	w.t.Helper()
	leader.awaitFor(2*time.Minute, "missing", holds(stay, gone))
	if took := time.Since(began); took < 30*time.Second || took > 50*time.Second {
		w.t.Errorf("missing after %s", took)
	}
	leader.awaitFor(2*time.Minute, "removed", holds(stay, 0))
	if took := time.Since(began); took < time.Minute || took > 80*time.Second {
		w.t.Errorf("removed after %s", took)
	}
	for t, want := range map[fsm.EventType]int{fsm.NodeMissing: gone, fsm.NodeRemoved: gone, fsm.ClusterRemoved: gone / 3} {
		if n := len(leader.events(before, string(t))); n != want {
			w.t.Errorf("%d events %s, want %d", n, t, want)
		}
	}
}

// TestSmallLossGoesItsWay lists three nodes less of thirty: no hold, missing and removed after their times; one that is
// listed again in time returns.
func TestSmallLossGoesItsWay(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		w.settled(10, 3, quick)
		leader := w.leader()
		before, began := leader.seq(), time.Now()
		w.source.set(recordsOf(8, 3), nil)
		leader.awaitFor(2*time.Minute, "missing", holds(24, 6))
		w.source.set(recordsOf(9, 3), nil)
		leader.awaitFor(2*time.Minute, "returned", holds(27, 3))
		leader.awaitFor(2*time.Minute, "removed", holds(27, 0))
		if took := time.Since(began); took < time.Minute || took > 80*time.Second {
			t.Errorf("removed after %s", took)
		}
		for kind, want := range map[fsm.EventType]int{
			fsm.NodeMissing: 6, fsm.NodeReturned: 3, fsm.NodeRemoved: 3, fsm.ClusterRemoved: 1, fsm.DiscoveryHeld: 0,
		} {
			if n := len(leader.events(before, string(kind))); n != want {
				t.Errorf("%d events %s, want %d", n, kind, want)
			}
		}
		if s := leader.machine.Read().Schedule(fsm.Subject{Kind: fsm.KindRefresh, ID: 10}); s != nil {
			t.Errorf("the schedule of a removed cluster is still there: %+v", s)
		}
	})
}

// TestDeletedDiscovery deletes a discovery: with keep its nodes stay and are asked as before only where a cluster says how;
// with remove they go with it. The name is free again.
func TestDeletedDiscovery(t *testing.T) {
	for onDelete, left := range map[string]int{fsm.OnDeleteKeep: 12, fsm.OnDeleteRemove: 0} {
		t.Run(onDelete, func(t *testing.T) {
			inBubble(t, 3, func(t *testing.T, w *world) {
				w.settled(4, 3, func(s *fsm.Spec) { quick(s); s.OnDelete = onDelete })
				leader := w.leader()
				before := leader.seq()
				leader.apply(&fsm.DiscoveryDelete{Name: "all", Cause: operator})
				leader.await("the discovery gone", func(r *fsm.Reader) bool { return r.Discovery("all") == nil })
				if present, missing := nodesOf(leader.machine.Read()); present != left || missing != 0 {
					t.Errorf("%d nodes are present and %d missing, want %d", present, missing, left)
				}
				leader.tells(before, "discovery.*", fsm.DiscoveryDeleted)
				polls := w.nodes.polls(addrsOf(4, 3)...)
				w.pass(3 * time.Minute)
				if n := w.nodes.polls(addrsOf(4, 3)...) - polls; n > 0 {
					t.Errorf("%d polls of nodes that nobody says how to ask", n)
				}
				w.settled(4, 3, quick)
				if !holds(12, 0)(leader.machine.Read()) {
					t.Error("nodes are not listed again by a discovery of the same name")
				}
			})
		})
	}
}

// TestReapplyingClosesTheRun applies a discovery anew while its source is being read: the open claim closes, what its run
// brings is refused, and a run with the new setting comes at once.
func TestReapplyingClosesTheRun(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		hourly := func(s *fsm.Spec) { s.Interval, s.Refresh.Interval = fsm.Hour, fsm.Hour }
		w.settled(2, 3, hourly)
		leader := w.leader()
		subject := fsm.Subject{Kind: fsm.KindRun, ID: leader.machine.Read().Discovery("all").ID}
		w.source.set(recordsOf(3, 3), nil) // what the old run reads
		w.source.slow(5 * time.Second)
		asked, err := leader.Ask(t.Context(), subject, operator)
		if err != nil || asked.Err() != nil {
			t.Fatal(err, asked.Err())
		}
		w.pass(time.Second)
		w.source.set(recordsOf(2, 3), nil)
		w.source.slow(0)
		began, before := time.Now(), leader.seq()
		w.discover(func(s *fsm.Spec) { hourly(s); s.MaxShrink = 50 })
		leader.await("a run with the new setting", func(r *fsm.Reader) bool {
			return r.Schedule(subject).Last.At > asked.Claim.Granted && r.Claim(subject) == nil
		})
		if took := time.Since(began); took > 600*time.Millisecond {
			t.Errorf("the next run was done after %s", took)
		}
		w.pass(10 * time.Second)
		leader.tells(before, "*", fsm.DiscoveryApplied)
		refused := false
		for _, p := range w.peers {
			refused = refused || len(p.said.with("run was not accepted", "is not open any more")) > 0
		}
		if !refused {
			t.Error("no peer was refused what the old run brought")
		}
	})
}

// TestNodesAreAskedAsListed changes where a node is: it is asked there at once, by whoever gets its cluster.
func TestNodesAreAskedAsListed(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		w.settled(1, 3, func(s *fsm.Spec) { s.Interval, s.Refresh.Interval = 10*fsm.Second, fsm.Hour })
		leader := w.leader()
		before := leader.seq()
		moved := slices.Clone(recordsOf(1, 3))
		moved[1].Address = "127.1.0.99"
		w.nodes.say("127.1.0.99:8655", versioned(0, 1, "7.2.0"))
		w.source.set(moved, nil)
		leader.await("what the node says there", told(before, fsm.NodeInfoChanged, 1))
		var got []fsm.EventType
		for _, e := range leader.events(before, "*") {
			got = append(got, e.Type)
		}
		want := []fsm.EventType{fsm.NodeChanged, fsm.NodeInfoChanged, fsm.ClusterVersionsMixed}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}
