package agent

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/fsm"
)

// TestLateCompletionIsRefused cuts a worker off while it holds what a node said. Its claims expire, the node takes its word
// back, another peer asks it; then the worker can deliver, and nothing it says is taken.
func TestLateCompletionIsRefused(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		w.settled(40, 2, nil)
		leader := w.leader()
		late := w.others(leader)[0]
		before := leader.seq()
		w.nodes.slow(700*time.Millisecond, addrsOf(40, 2)...)
		for c := range 40 {
			w.nodes.say(addrOf(c, 1), versioned(c, 1, "9.9.9"))
		}
		late.await("a claim of its own", claimed([]*peer{late}))
		w.pass(100 * time.Millisecond) // so that the nodes have been asked
		held := refreshesOf(late.machine.Read(), late)
		w.isolate(late)
		for c := range 40 {
			w.nodes.say(addrOf(c, 1), documentOf(c, 1))
		}
		w.nodes.slow(0, addrsOf(40, 2)...)
		leader.await("its claims expired", told(before, fsm.ClaimExpired, 1))
		for _, c := range held {
			leader.await("another claim", func(r *fsm.Reader) bool {
				s := r.Schedule(c.Subject)
				return r.Claim(c.Subject) == nil && s.Last.At > c.Granted && s.Last.Peer != late.id
			})
		}
		w.heal()
		w.until("the late completion refused", func() bool {
			return len(late.said.with("refresh was not accepted", "is not open any more")) > 0
		})
		w.pass(30 * time.Second)
		for _, e := range leader.events(before, "*") {
			for _, c := range held {
				if e.Cluster == leader.machine.Read().ClusterByID(c.Subject.ID).Name {
					t.Errorf("event %d, %s of %s, though nobody but the late worker saw a change", e.Seq, e.Type, e.Cluster)
				}
			}
		}
	})
}

// TestRepeatedCompletionsAreRefused sends every completion of the log once more, through a follower, while nothing is claimed
// and while other claims on the same clusters are open: no view, event, schedule or claim changes.
func TestRepeatedCompletionsAreRefused(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		slow := func(s *fsm.Spec) { s.Interval, s.Refresh.Interval = fsm.Hour, fsm.Hour }
		w.settled(4, 2, slow)
		p := w.follower()
		for c := range 4 { // an unchanged refresh of each
			if res, err := p.Ask(t.Context(), refreshOf(p.machine.Read(), c), operator); err != nil || res.Err() != nil {
				t.Fatal(err, res.Err())
			}
		}
		p.await("no open claim", idle)
		w.pass(time.Second)
		entries := p.logged(0)
		p.repeats(entries)
		w.nodes.slow(800*time.Millisecond, addrsOf(4, 2)...)
		for c := range 4 {
			if res, err := p.Ask(t.Context(), refreshOf(p.machine.Read(), c), operator); err != nil || res.Err() != nil {
				t.Fatal(err, res.Err())
			}
		}
		p.await("four claims", func(r *fsm.Reader) bool { return len(slices.Collect(r.Claims())) == 4 })
		p.repeats(entries)
	})
}

// repeats proposes every completion of some entries again; nothing may change by it.
func (p *peer) repeats(entries []entry) {
	p.w.t.Helper()
	before, repeated := stateOf(p.machine.Read()), 0
	for _, e := range entries {
		for _, c := range e.commands {
			switch c.(type) {
			case *fsm.RefreshComplete, *fsm.RunComplete:
				res, err := p.proposeNow(c)
				if err != nil || !errors.Is(res.Err(), fsm.ErrConflict) {
					p.w.t.Errorf("%s again gave %v, %v", fsm.KindName(c), res.Err(), err)
				}
				repeated++
			case *fsm.RefreshUnchanged, *fsm.ClaimAbandon, *fsm.ClaimExpire:
				if _, err := p.proposeNow(c); err != nil {
					p.w.t.Errorf("%s again gave %v", fsm.KindName(c), err)
				}
				repeated++
			}
		}
	}
	if repeated < 4+1+1 {
		p.w.t.Fatalf("only %d completions in the log", repeated)
	}
	index := p.w.leader().index()
	p.await("what was repeated", func(r *fsm.Reader) bool { return r.Meta().Index >= index })
	if diff := cmp.Diff(before, stateOf(p.machine.Read())); diff != "" {
		p.w.t.Errorf("repeated completions changed the state (-before +after):\n%s", diff)
	}
}

// proposeNow takes a command to the leader without waiting for the beat.
func (p *peer) proposeNow(c fsm.Command) (fsm.Result, error) {
	results, err := p.proposeOnce(p.w.t.Context(), slices.Concat(fsm.Frame(hurry), fsm.Frame(c)), 2, false)
	if err != nil {
		return fsm.Result{}, err
	}
	return results[1], nil
}

// hurry changes nothing; it goes first in a batch that is not to wait.
var hurry = &fsm.ClaimAbandon{}

// idle says whether no claim is open, once there are clusters.
func idle(r *fsm.Reader) bool { return len(slices.Collect(r.Claims())) == 0 }

// contents is all that completions may change.
type contents struct {
	Views     map[string]*fsm.View
	Schedules []*fsm.Schedule
	Claims    []*fsm.Claim
	Seq       uint64
}

func stateOf(r *fsm.Reader) contents {
	s := contents{
		Views: map[string]*fsm.View{}, Schedules: slices.Collect(r.Schedules()), Claims: slices.Collect(r.Claims()), Seq: r.Meta().Seq,
	}
	for c := range r.Clusters("") {
		s.Views[c.Name] = r.View(c.ID)
	}
	return s
}

// TestBaseMovesDuringRefresh changes a cluster while its slow nodes are asked by a worker whose replica does not see the
// change in time. What the worker completes is refused, or taken as old; the same reports are compared again, no node is
// asked twice for one claim, and the cluster is due at once.
func TestBaseMovesDuringRefresh(t *testing.T) {
	for _, c := range []struct {
		name    string
		version string
		move    func(w *world, p *peer)
		want    []fsm.EventType
	}{
		{"settings, news", "7.2.0", (*world).label, []fsm.EventType{
			fsm.ClusterSettingsChanged, fsm.NodeInfoChanged, fsm.ClusterVersionsMixed,
		}},
		{"settings, no news", "7.0.15", (*world).label, []fsm.EventType{fsm.ClusterSettingsChanged}},
		{"run, news", "7.2.0", (*world).grow, []fsm.EventType{
			fsm.NodeDiscovered, fsm.ClusterHealthChanged, fsm.NodeInfoChanged, fsm.ClusterVersionsMixed,
			fsm.NodeReachable, fsm.NodeUp, fsm.ClusterHealthChanged,
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, 3, func(t *testing.T, w *world) {
				leader := w.leader()
				worker, nodes := w.others(leader)[0], addrsOf(1, 3)
				w.settled(1, 3, func(s *fsm.Spec) {
					s.On, s.Interval = leader.name, fsm.Hour
					s.Refresh.On, s.Refresh.Interval = worker.name, fsm.Hour
				})
				subject, before, polls := refreshOf(leader.machine.Read(), 0), leader.seq(), w.nodes.polls(nodes...)
				w.nodes.say(addrOf(0, 1), versioned(0, 1, c.version))
				w.nodes.slow(500*time.Millisecond, nodes...)
				asked, err := leader.Ask(t.Context(), subject, operator)
				if err != nil || asked.Err() != nil {
					t.Fatal(err, asked.Err())
				}
				w.pass(300 * time.Millisecond)
				w.net.Cut(leader.host, worker.host)
				c.move(w, leader)
				w.pass(300 * time.Millisecond)
				if n := w.nodes.polls(nodes...) - polls; n != 3 {
					t.Errorf("%d polls for one claim of three nodes", n)
				}
				w.heal()
				closed := leader.await("the claim closed", func(r *fsm.Reader) bool {
					open := r.Claim(subject)
					return open == nil || open.Token != asked.Claim.Token
				})
				if last := closed.Schedule(subject).Last; last.At != asked.Claim.Granted || last.Outcome == fsm.OutcomeGivenBack {
					t.Errorf("the claim closed with %+v", last)
				}
				w.pass(10 * time.Second)
				if n := w.nodes.polls(nodes...) - polls; n != 6 {
					t.Errorf("%d polls of three nodes; want each asked once more, at once", n)
				}
				var got []fsm.EventType
				for _, e := range leader.events(before, "*") {
					if e.Type != fsm.OperatorActed {
						got = append(got, e.Type)
					}
				}
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Errorf("events (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// label sets a label on cluster 0 as an operator does.
func (w *world) label(p *peer) {
	w.t.Helper()
	c := p.machine.Read().Cluster("c00")
	p.apply(&fsm.ClusterChange{Cause: operator, Changes: []fsm.Change{{
		Cluster: c.ID, Base: c.Index, Facts: []fsm.Fact{{
			Type: fsm.ClusterSettingsChanged, Before: &fsm.SettingsPart{},
			After: &fsm.SettingsPart{Settable: fsm.Settable{Labels: map[string]string{"team": "a"}}},
		}},
	}}})
}

// grow lists one node more in cluster 0 and has the source read.
func (w *world) grow(p *peer) {
	w.t.Helper()
	w.nodes.say(addrOf(0, 3), documentOf(0, 3))
	w.source.set(recordsOf(1, 4), nil)
	before := p.seq()
	res, err := p.Ask(w.t.Context(), fsm.Subject{Kind: fsm.KindRun, ID: p.machine.Read().Discovery("all").ID}, operator)
	if err != nil || res.Err() != nil {
		w.t.Fatal(err, res.Err())
	}
	p.await("the new node", told(before, fsm.NodeDiscovered, 1))
}

// TestDeadWorkersClaimsMove cuts a worker off while it holds claims: they are taken from it long before their ttl, all in
// one event, and others do its work. When it is back it gets work again.
func TestDeadWorkersClaimsMove(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		w.settled(40, 2, nil)
		w.nodes.slow(900*time.Millisecond, addrsOf(40, 2)...)
		leader := w.leader()
		dead := w.others(leader)[0]
		leader.await("claims of all peers", claimed(w.peers))
		before, held := leader.seq(), map[fsm.Subject]bool{}
		for c := range leader.machine.Read().ClaimsOf(dead.id) {
			held[c.Subject] = true
		}
		w.isolate(dead)
		cut := time.Now()
		r := leader.await("its claims expired", told(before, fsm.ClaimExpired, 1))
		if took := time.Since(cut); took > 5*time.Second {
			t.Errorf("claims of a peer that is gone expired only after %s", took)
		}
		for s := range held {
			if open := r.Claim(s); open != nil && open.Peer == dead.id {
				t.Errorf("the claim on %v is still its own", s)
			}
		}
		leader.await("all refreshed by others", observed(fsm.TimeOf(cut)))
		if took := time.Since(cut); took > 10*time.Second {
			t.Errorf("all refreshed again only after %s", took)
		}
		w.pass(30 * time.Second)
		leader.tells(before, "claim.*", fsm.ClaimExpired)
		e := leader.events(before, string(fsm.ClaimExpired))[0].After.(*fsm.ExpiredPart)
		if e.Peer != dead.name || e.Reason != "peer_gone" || e.Count < len(held) || e.Count != len(e.Subjects) {
			t.Errorf("the event says %+v, %d claims were held", e, len(held))
		}
		leader.tells(before, "node.*")

		w.heal()
		leader.awaitFor(3*time.Minute, "claims of all peers again", claimed(w.peers))
		w.pass(10 * time.Second)
		most := 0
		for range 40 {
			w.pass(100 * time.Millisecond)
			most = max(most, len(slices.Collect(leader.machine.Read().ClaimsOf(dead.id))))
		}
		if most < 2 {
			t.Errorf("the peer that is back holds %d claims at once", most)
		}
	})
}
