package fsm_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/fsm"
)

// TestGrantRefused checks what may not be claimed and why.
func TestGrantRefused(t *testing.T) {
	l := newLog(t)
	d := l.discovery("d")
	c := l.cluster(d, "c", "a")
	open := l.claim(fsm.KindRefresh, c.ID, fsm.WhyDue)
	off := spec()
	off.Enabled = false
	l.ok(&fsm.DiscoveryApply{Name: "off", Spec: off})
	l.discovery("going")
	l.ok(&fsm.DiscoveryDelete{Name: "going"})
	for name, test := range map[string]struct {
		kind fsm.Kind
		id   uint64
		why  string
		code fsm.Code
	}{
		"open already":                    {fsm.KindRefresh, c.ID, fsm.WhyAsked, fsm.CodeClaimed},
		"no such cluster":                 {fsm.KindRefresh, 99, fsm.WhyDue, fsm.CodeNotFound},
		"no such discovery":               {fsm.KindRun, 99, fsm.WhyDue, fsm.CodeNotFound},
		"no such kind":                    {9, d.ID, fsm.WhyDue, fsm.CodeInvalid},
		"disabled":                        {fsm.KindRun, d.ID + 1, fsm.WhyDue, fsm.CodeConflict},
		"being deleted":                   {fsm.KindRun, d.ID + 2, fsm.WhyDue, fsm.CodeConflict},
		"to be deleted, and is not to be": {fsm.KindRun, d.ID, fsm.WhyDelete, fsm.CodeConflict},
	} {
		t.Run(name, func(t *testing.T) {
			l.t = t
			res := l.refused(&fsm.ClaimGrant{Kind: test.kind, Peer: "q", Reason: test.why, IDs: []uint64{test.id}}, test.code)
			if test.code == fsm.CodeClaimed && (res.Claim == nil || res.Claim.Ticket() != open.Ticket()) {
				t.Errorf("the claim in the way is %+v", res.Claim)
			}
		})
	}
}

// TestGrantMany checks that a beat's grant passes over what cannot be claimed and claims the rest.
func TestGrantMany(t *testing.T) {
	l := newLog(t)
	d := l.discovery("d")
	c, f := l.cluster(d, "c", "a"), l.cluster(d, "f", "a")
	l.claim(fsm.KindRefresh, c.ID, fsm.WhyDue)
	a := l.entry(&fsm.ClaimGrant{Kind: fsm.KindRefresh, Peer: "q", Reason: fsm.WhyDue, IDs: []uint64{f.ID, c.ID, 99}})
	if diff := cmp.Diff([]fsm.Result{{Index: l.index}}, a.Results); diff != "" {
		t.Errorf("result (-want +got):\n%s", diff)
	}
	if len(a.Granted) != 1 || a.Granted[0].Subject.ID != f.ID || a.Granted[0].Peer != "q" || a.Granted[0].Granted != l.now {
		t.Errorf("granted are %+v", a.Granted)
	}
}

// TestTokenGivenOnce checks that a subject claimed and closed by one entry is not claimed again by it: both claims would
// have one token (I3).
func TestTokenGivenOnce(t *testing.T) {
	l := newLog(t)
	d := l.discovery("d")
	other := spec()
	other.Interval *= 2
	grant := &fsm.ClaimGrant{Kind: fsm.KindRun, Peer: "p", Reason: fsm.WhyDue, IDs: []uint64{d.ID}}
	a := l.entry(grant, &fsm.DiscoveryApply{Name: "d", Spec: other}, grant)
	if a.Results[0].Claim == nil || a.Results[2].Error == nil || a.Results[2].Error.Code != fsm.CodeConflict {
		t.Fatalf("results are %+v", a.Results)
	}
	if len(a.Granted) != 0 || len(a.Closed) != 1 || l.state.Read().Claim(a.Closed[0].Subject) != nil {
		t.Errorf("granted %+v, closed %+v", a.Granted, a.Closed)
	}
	if again := l.ok(grant).Claim; again.Token <= a.Closed[0].Token {
		t.Errorf("token %d follows %d", again.Token, a.Closed[0].Token)
	}
}

// TestParts sends a refresh in parts: each is accepted once, in order, and on the version the one before it left.
func TestParts(t *testing.T) {
	l := newLog(t)
	c := l.cluster(l.discovery("d"), "c", "a", "b")
	claim := l.claim(fsm.KindRefresh, c.ID, fsm.WhyDue)
	whole := l.round(claim, up("a"), up("b"))
	part := func(number uint32, base uint64, last bool, facts []fsm.Fact) *fsm.RefreshComplete {
		p := *whole
		p.Part, p.Base, p.Last, p.Facts = number, base, last, facts
		return &p
	}
	first, rest := whole.Facts[:2], whole.Facts[2:]
	l.refused(part(1, c.Index, true, rest), fsm.CodeConflict)
	res := l.ok(part(0, c.Index, false, first))
	if res.Closed || res.Claim.Parts != 1 || res.Claim.Base != l.index || res.Claim.Token != claim.Token {
		t.Fatalf("after the first part: %+v", res)
	}
	before := content(t, l.snapshot())
	if again := l.ok(part(0, c.Index, false, first)); !again.Already || again.Claim == nil || again.Claim.Parts != 1 {
		t.Errorf("the first part again: %+v", again)
	}
	if !slices.Equal(before, content(t, l.snapshot())) {
		t.Error("a part that came twice changed the state")
	}
	l.refused(part(1, c.Index, true, rest), fsm.CodeStale)
	l.refused(part(2, res.Claim.Base, true, rest), fsm.CodeConflict)
	if empty := l.ok(part(1, res.Claim.Base, false, nil)); empty.Claim.Base != res.Claim.Base || empty.Claim.Parts != 2 {
		t.Errorf("a part without facts left %+v", empty.Claim)
	}
	if last := l.ok(part(2, res.Claim.Base, true, rest)); !last.Closed {
		t.Errorf("the last part: %+v", last)
	}
	l.refused(part(2, res.Claim.Base, true, rest), fsm.CodeConflict)
	if s := l.state.Read().Schedule(claim.Subject); s.Last.Outcome != fsm.OutcomeChanged || s.Done != l.now-fsm.Time(fsm.Second) {
		t.Errorf("schedule is %+v", s)
	}
}

// TestRefreshKeepsCluster checks that no refresh takes its cluster, and so its own claim, away.
func TestRefreshKeepsCluster(t *testing.T) {
	l := newLog(t)
	c := l.cluster(l.discovery("d"), "c", "a")
	change := l.forget("c", "a")
	claim := l.claim(fsm.KindRefresh, c.ID, fsm.WhyDue)
	l.refused(&fsm.RefreshComplete{
		Cluster: c.ID, Token: claim.Token, Last: true, Base: c.Index, Facts: change.Facts,
	}, fsm.CodeInvalid)
}

// TestCloses checks each way in which a claim is closed, and what it leaves the subject with (I4).
func TestCloses(t *testing.T) {
	other := spec()
	other.Interval *= 2
	off := spec()
	off.Enabled = false
	for name, test := range map[string]struct {
		by      func(l *log, refresh, run *fsm.Claim) fsm.Command
		closed  fsm.Kind
		atOnce  bool
		outcome string
	}{
		"abandon": {func(_ *log, c, _ *fsm.Claim) fsm.Command {
			return &fsm.ClaimAbandon{Claims: []fsm.Ticket{c.Ticket()}}
		}, fsm.KindRefresh, true, fsm.OutcomeGivenBack},
		"expire": {func(_ *log, _, c *fsm.Claim) fsm.Command {
			return &fsm.ClaimExpire{Peer: "p", Claims: []fsm.Ticket{c.Ticket()}}
		}, fsm.KindRun, true, fsm.OutcomeExpired},
		"expire of another peer": {func(_ *log, c, _ *fsm.Claim) fsm.Command {
			return &fsm.ClaimExpire{Peer: "q", Claims: []fsm.Ticket{c.Ticket()}}
		}, 0, false, ""},
		"abandon of another token": {func(_ *log, c, _ *fsm.Claim) fsm.Command {
			return &fsm.ClaimAbandon{Claims: []fsm.Ticket{{Subject: c.Subject, Token: c.Token - 1}}}
		}, 0, false, ""},
		"re-application": {func(*log, *fsm.Claim, *fsm.Claim) fsm.Command {
			return &fsm.DiscoveryApply{Name: "d", Spec: other}
		}, fsm.KindRun, true, fsm.OutcomeChanged},
		"the same applied": {func(*log, *fsm.Claim, *fsm.Claim) fsm.Command {
			return &fsm.DiscoveryApply{Name: "d", Spec: spec()}
		}, 0, false, ""},
		"disabling": {func(*log, *fsm.Claim, *fsm.Claim) fsm.Command {
			return &fsm.DiscoveryApply{Name: "d", Spec: off}
		}, fsm.KindRun, true, fsm.OutcomeChanged},
		"deletion": {func(*log, *fsm.Claim, *fsm.Claim) fsm.Command {
			return &fsm.DiscoveryDelete{Name: "d"}
		}, fsm.KindRun, true, fsm.OutcomeChanged},
		"time": {func(l *log, _, _ *fsm.Claim) fsm.Command {
			l.now += fsm.Time(fsm.Day)
			return &fsm.OperatorAct{Action: "look"}
		}, 0, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLog(t)
			d := l.discovery("d")
			c := l.cluster(d, "c", "a")
			refresh, run := l.claim(fsm.KindRefresh, c.ID, fsm.WhyDue), l.claim(fsm.KindRun, d.ID, fsm.WhyDue)
			a := l.entry(test.by(l, refresh, run))
			r := l.state.Read()
			for _, claim := range []*fsm.Claim{refresh, run} {
				if open := r.Claim(claim.Subject) != nil; open == (claim.Subject.Kind == test.closed) {
					t.Fatalf("claim of a %s is open: %t", claim.Subject.Kind, open)
				}
				s := r.Schedule(claim.Subject)
				if claim.Subject.Kind == test.closed && (s.AtOnce != test.atOnce || s.Last.Outcome != test.outcome) {
					t.Errorf("schedule is %+v", s)
				}
			}
			if test.closed != 0 && (len(a.Closed) != 1 || a.Closed[0].Subject.Kind != test.closed) {
				t.Errorf("closed are %+v", a.Closed)
			}
		})
	}
}

// TestAskedMeanwhile checks that what makes a subject due at once while its claim is open is kept until the claim closes.
func TestAskedMeanwhile(t *testing.T) {
	l := newLog(t)
	d := l.discovery("d")
	c := l.cluster(d, "c", "a")
	claim := l.claim(fsm.KindRefresh, c.ID, fsm.WhyDue)
	run := l.claim(fsm.KindRun, d.ID, fsm.WhyDue)
	l.ok(&fsm.RunComplete{
		Discovery: d.ID, Settings: d.Settings, Token: run.Token,
		Enrolments: []fsm.Enrolment{l.enrolment(d, "c", "a", "b")}, Outcome: &fsm.RunOutcome{},
	})
	if s := l.state.Read().Schedule(claim.Subject); s.AtOnce {
		t.Error("the cluster is due while it is claimed")
	}
	l.ok(l.round(claim, up("a")))
	if s := l.state.Read().Schedule(claim.Subject); !s.AtOnce {
		t.Error("the node that came meanwhile waits for the next slot")
	}
}
