package fsm_test

import (
	"testing"

	"github.com/musterhq/muster/fsm"
)

// A node that an enabled discovery lists is not missing on the word of a run that judged while that discovery was disabled.
func TestEnablingIsSeenByRunsUnderWay(t *testing.T) {
	l := newLog(t)
	apply := func(name string, enabled bool) *fsm.Discovery {
		s := spec()
		s.MissingAfter, s.Enabled = 0, enabled
		l.ok(&fsm.DiscoveryApply{Name: name, Spec: s, Cause: fsm.Cause{Kind: fsm.CauseOperator}})
		return l.state.Read().Discovery(name)
	}
	run := func(d *fsm.Discovery, e fsm.Enrolment) fsm.Result {
		claim := l.claim(fsm.KindRun, d.ID, fsm.WhyAsked)
		return l.ok(&fsm.RunComplete{
			Discovery: d.ID, Settings: d.Settings, Token: claim.Token, Enrolments: []fsm.Enrolment{e}, Outcome: &fsm.RunOutcome{},
		})
	}
	one, other := apply("one", true), apply("other", true)
	run(one, l.enrolment(one, "c", "a", "b"))
	run(other, l.enrolment(other, "c", "a", "b"))
	apply("other", false)
	run(one, l.enrolment(one, "c", "a")) // the first read without b
	l.now += 1000
	late := l.enrolment(one, "c", "a")
	missing := false
	for _, f := range late.Facts {
		missing = missing || f.Type == fsm.NodeMissing
	}
	if !missing {
		t.Fatalf("the listing of a disabled discovery keeps a node: %+v", late.Facts)
	}
	apply("other", true)
	if res := run(one, late); len(res.Moved) != 1 || res.Closed {
		t.Errorf("what was judged before is accepted: %+v", res)
	}
	r := l.state.Read()
	if n := r.Node(r.Cluster("c").ID, "b"); n.Presence != fsm.Present {
		t.Errorf("the node is %s, and an enabled discovery lists it", n.Presence)
	}
}
