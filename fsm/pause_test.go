package fsm_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/fsm"
)

// pauses is what the events after a sequence number tell.
func pauses(r *fsm.Reader, after uint64) (out []fsm.Fact) {
	for e := range r.Events(after) {
		out = append(out, e.Fact)
	}
	return out
}

// TestPauseHoldsClaimsBack grants nothing while a pause lasts, by the time of the entry, and all again from its end on.
func TestPauseHoldsClaimsBack(t *testing.T) {
	l := secured(t)
	l.cluster(l.discovery("d"), "c", "a")
	l.ok(&fsm.SchedulePause{Pause: fsm.Pause{Until: l.now + 4000, Reason: "moving racks"}, Cause: operator})
	grant := &fsm.ClaimGrant{Kind: fsm.KindRefresh, Peer: "p", TTL: fsm.Minute, Reason: fsm.WhyDue, IDs: []uint64{1}}
	refusal := l.refused(grant, fsm.CodeConflict).Error
	if !strings.Contains(refusal.Message, "moving racks") || refusal.Fields["paused_until"] == "" {
		t.Errorf("the refusal says %q, %v", refusal.Message, refusal.Fields)
	}
	several := &fsm.ClaimGrant{Kind: fsm.KindRun, Peer: "p", TTL: fsm.Minute, Reason: fsm.WhyDue, IDs: []uint64{1, 2}}
	l.refused(several, fsm.CodeConflict)
	l.apply() // the third second
	l.ok(grant)
}

// TestPauseEnds: it lasts until a time, and not at it.
func TestPauseEnds(t *testing.T) {
	p := &fsm.Pause{Until: 1000}
	if !p.Holds(999) || p.Holds(1000) || (*fsm.Pause)(nil).Holds(0) {
		t.Errorf("a pause until 1000 holds at 999: %t, at 1000: %t; none holds: %t", p.Holds(999), p.Holds(1000), (*fsm.Pause)(nil).Holds(0))
	}
}

// TestPauseLeavesWhatIsClaimed checks that a claim from before is completed as ever.
func TestPauseLeavesWhatIsClaimed(t *testing.T) {
	l := secured(t)
	l.cluster(l.discovery("d"), "c", "a")
	claim := l.claim(fsm.KindRefresh, 1, fsm.WhyDue)
	l.ok(&fsm.SchedulePause{Pause: fsm.Pause{Until: l.now + 60_000}, Cause: operator})
	if res := l.ok(l.round(claim, fsm.Report{Node: "a", Reachable: true, State: fsm.StateUp})); !res.Closed {
		t.Errorf("it answers %+v", res)
	}
}

// TestPauseIsTold makes, changes and ends a pause: each is an event, what changes nothing is none, and the settings' index moves.
func TestPauseIsTold(t *testing.T) {
	l := secured(t)
	seq := l.state.Read().Meta().Seq
	a, b := fsm.Pause{Until: l.now + 60_000, Reason: "a"}, fsm.Pause{Until: l.now + 90_000, Reason: "a"}
	l.ok(&fsm.SchedulePause{Pause: a, Cause: operator})
	a.Since = l.now
	l.ok(&fsm.SchedulePause{Pause: fsm.Pause{Until: a.Until, Reason: "a", Since: 7}, Cause: operator})
	at := l.state.Read().Settings().Index
	l.ok(&fsm.SchedulePause{Pause: b, Cause: operator})
	b.Since = a.Since
	r := restored(t, l.snapshot()).Read()
	if s := r.Settings(); s.Pause == nil || *s.Pause != b || s.Index <= at {
		t.Errorf("the settings are %+v, were at %d", s, at)
	}
	l.ok(&fsm.ScheduleResume{Until: a.Until, Cause: operator}) // of a pause that was made longer meanwhile
	if l.state.Read().Settings().Pause == nil {
		t.Fatal("a longer pause was ended")
	}
	l.ok(&fsm.ScheduleResume{Until: b.Until, Cause: operator})
	l.ok(&fsm.ScheduleResume{Cause: operator})
	if p := l.state.Read().Settings().Pause; p != nil {
		t.Errorf("the pause is %+v", p)
	}
	want := []fsm.Fact{
		{Type: fsm.SchedulePaused, After: &fsm.PausePart{Pause: a}},
		{Type: fsm.SchedulePaused, Before: &fsm.PausePart{Pause: a}, After: &fsm.PausePart{Pause: b}},
		{Type: fsm.ScheduleResumed, Before: &fsm.PausePart{Pause: b}},
	}
	if diff := cmp.Diff(want, pauses(l.state.Read(), seq)); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
	l.refused(&fsm.SchedulePause{Pause: fsm.Pause{Until: l.now}}, fsm.CodeInvalid)
}

// TestSettingsLeaveThePause sets settings during a pause: it stays, and their event does not tell of it.
func TestSettingsLeaveThePause(t *testing.T) {
	l := secured(t)
	l.ok(&fsm.SchedulePause{Pause: fsm.Pause{Until: l.now + 60_000}, Cause: operator})
	pause, seq := *l.state.Read().Settings().Pause, l.state.Read().Meta().Seq
	s := fsm.DefaultSettings()
	s.Voters, s.Pause, s.DeadPeers.RemoveAfter = 3, &fsm.Pause{Until: 1}, fsm.Hour
	l.ok(&fsm.SettingsSet{Settings: s, Cause: operator})
	now := l.state.Read().Settings()
	if now.Voters != 3 || now.DeadPeers.RemoveAfter != fsm.Hour || now.Pause == nil || *now.Pause != pause {
		t.Errorf("the settings are %+v", now)
	}
	for _, f := range pauses(l.state.Read(), seq) {
		if f.Before.(*fsm.GlobalsPart).Pause != nil || f.After.(*fsm.GlobalsPart).Pause != nil {
			t.Errorf("%s tells of the pause", f.Type)
		}
	}
	if seq++; l.state.Read().Meta().Seq != seq {
		t.Error("there is not one event")
	}
	l.ok(&fsm.SettingsSet{Settings: s, Cause: operator})
	if l.state.Read().Meta().Seq != seq {
		t.Error("the same settings are told again")
	}
}

// TestRestoreKeepsThePauseOfTheGroup takes up a backup: whether all is paused is not the backup's to say.
func TestRestoreKeepsThePauseOfTheGroup(t *testing.T) {
	for name, now := range map[string]*fsm.Pause{"no pause": nil, "a pause": {Until: 9, Since: 8}} {
		l := secured(t)
		l.ok(&fsm.SchedulePause{Pause: fsm.Pause{Until: l.now + 60_000}, Cause: operator})
		as := own()
		as.Own.Feature, as.Pause = 2, now
		s := restored(t, l.snapshot())
		if _, err := s.BeginEpoch(as); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(now, s.Read().Settings().Pause); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestPauseOutOfBounds(t *testing.T) {
	const now = 1_000_000
	for field, p := range map[string]fsm.Pause{
		"until":   {Until: now},
		"until ":  {Until: now + fsm.Time(fsm.MaxPause) + 1},
		"reason":  {Until: now + 1, Reason: "line\nbreak"},
		"reason ": {Until: now + 1, Reason: strings.Repeat("x", 501)},
	} {
		if err := p.Validate(now); err == nil || !strings.HasPrefix(err.Error(), strings.TrimSpace(field)+": ") {
			t.Errorf("%+v: %v", p, err)
		}
	}
	if err := (&fsm.Pause{Until: now + fsm.Time(fsm.MaxPause), Reason: "übung"}).Validate(now); err != nil {
		t.Error(err)
	}
}

// TestNewSettingsNeedTheirLevel proposes below level 2 what the release before cannot read.
func TestNewSettingsNeedTheirLevel(t *testing.T) {
	s := fsm.DefaultSettings()
	gone := fsm.Peer{ID: "p", Status: fsm.PeerGone}
	for _, c := range []fsm.Command{&fsm.SettingsSet{Settings: s}, &fsm.PeerSet{Peer: gone}} {
		if err := fsm.Admit(fsm.Frame(c), 1); err != nil {
			t.Error(err)
		}
	}
	s.DeadPeers.RemoveAfter, gone.Failed = fsm.Hour, 5
	for _, c := range []fsm.Command{&fsm.SettingsSet{Settings: s}, &fsm.PeerSet{Peer: gone}, &fsm.SchedulePause{}, &fsm.ScheduleResume{}} {
		if fsm.Admit(fsm.Frame(c), 1) == nil {
			t.Errorf("%s goes into a log of level 1", fsm.KindName(c))
		}
		if err := fsm.Admit(fsm.Frame(c), 2); err != nil {
			t.Error(err)
		}
	}
}
