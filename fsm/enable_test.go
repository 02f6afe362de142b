package fsm_test

import (
	"slices"
	"testing"

	"github.com/musterhq/muster/fsm"
)

// A node that an enabled discovery lists is not missing on the word of a run that judged while that discovery was disabled,
// or would have held the node for gone sooner.
func TestSettingsAreSeenByRunsUnderWay(t *testing.T) {
	spec := func(change func(*fsm.Spec)) fsm.Spec {
		s := spec()
		s.MissingAfter = 0
		if change != nil {
			change(&s)
		}
		return s
	}
	for name, test := range map[string]struct {
		before, after func(*fsm.Spec) // the spec of the other discovery when the run judges, and when it reports
		reads         int             // of the other discovery that do not list the node
		level         uint32
	}{
		"enabled":              {func(s *fsm.Spec) { s.Enabled = false }, nil, 0, 1},
		"missing later":        {nil, func(s *fsm.Spec) { s.MissingAfter = 3 * fsm.Minute }, 2, 2},
		"asked more often":     {func(s *fsm.Spec) { s.Interval = fsm.Minute }, func(s *fsm.Spec) { s.Interval = fsm.Second }, 2, 2},
		"asked more often, v1": {func(s *fsm.Spec) { s.Interval = fsm.Minute }, func(s *fsm.Spec) { s.Interval = fsm.Second }, 2, 1},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLog(t)
			l.ok(&fsm.FeatureRaise{Level: test.level})
			apply := func(name string, change func(*fsm.Spec)) *fsm.Discovery {
				l.ok(&fsm.DiscoveryApply{Name: name, Spec: spec(change), Cause: fsm.Cause{Kind: fsm.CauseOperator}})
				return l.state.Read().Discovery(name)
			}
			run := func(d *fsm.Discovery, e fsm.Enrolment) fsm.Result {
				claim := l.claim(fsm.KindRun, d.ID, fsm.WhyAsked)
				return l.ok(&fsm.RunComplete{
					Discovery: d.ID, Settings: d.Settings, Token: claim.Token, Enrolments: []fsm.Enrolment{e}, Outcome: &fsm.RunOutcome{},
				})
			}
			one, other := apply("one", nil), apply("other", nil)
			run(one, l.enrolment(one, "c", "a", "b"))
			run(other, l.enrolment(other, "c", "a", "b"))
			other = apply("other", test.before)
			for range test.reads {
				l.now += 10_000
				run(other, l.enrolment(other, "c", "a"))
			}
			run(one, l.enrolment(one, "c", "a")) // the first read without b
			l.now += 1000
			late := l.enrolment(one, "c", "a")
			missing := slices.ContainsFunc(late.Facts, func(f fsm.Fact) bool { return f.Type == fsm.NodeMissing })
			if !missing {
				t.Fatalf("the other discovery keeps the node: %+v", late.Facts)
			}
			apply("other", test.after)
			want := test.level > 1 || test.reads == 0 // as peers of level 1 do it
			res := run(one, late)
			if moved := len(res.Moved) == 1 && !res.Closed; moved != want {
				t.Errorf("what was judged before: %+v", res)
			}
			r := l.state.Read()
			if n := r.Node(r.Cluster("c").ID, "b"); (n.Presence == fsm.Present) != want {
				t.Errorf("the node is %s", n.Presence)
			}
		})
	}
}
