package fsm_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/musterhq/muster/fsm"
)

// TestUpgradeAdmits checks what may be proposed at which feature level: all that the first release wrote at any, a later
// version from its own on, and what this release does not know at none.
func TestUpgradeAdmits(t *testing.T) {
	defer fsm.AddVersion(&fsm.OperatorAct{}, 2)()
	old := fsm.Frame(&fsm.OperatorAct{Action: "look"})
	later := slices.Clone(old)
	later[1] = 2
	other := fsm.Frame(&fsm.EventsTrim{First: 1})
	for name, test := range map[string]struct {
		frames []byte
		level  uint32
		want   error
	}{
		"the first version":                 {old, 0, nil},
		"the first version later":           {old, 9, nil},
		"a later version too early":         {later, 1, fsm.ErrConflict},
		"a later version":                   {later, 2, nil},
		"a later version as the last of it": {slices.Concat(old, other, later), 1, fsm.ErrConflict},
		"a later version as the first":      {slices.Concat(later, other, old), 1, fsm.ErrConflict},
		"all at the level":                  {slices.Concat(later, other, old), 2, nil},
		"an unknown version":                {framed(7, 2, 1, 0xa0), 9, fsm.ErrInvalid},
		"an unknown kind":                   {slices.Concat(old, framed(99, 1, 1, 0xa0)), 9, fsm.ErrInvalid},
		"half a frame":                      {old[:len(old)-1], 9, fsm.ErrInvalid},
	} {
		err := fsm.Admit(test.frames, test.level)
		if (err == nil) != (test.want == nil) || err != nil && !errors.Is(err, test.want) {
			t.Errorf("%s at level %d: %v", name, test.level, err)
		}
	}
}

// TestUpgradeRemembers checks that a word which came later is remembered from its level on, and that below it, where an earlier
// release may read it, no word is.
func TestUpgradeRemembers(t *testing.T) {
	defer fsm.AddPastWord("later", 2)()
	l := newLog(t)
	l.cluster(l.discovery("d"), "c", "a")
	done := func() fsm.Work {
		claim := l.claim(fsm.KindRefresh, 1, "later")
		u := &fsm.RefreshUnchanged{AsOf: l.index}
		u.Add(claim.Subject.ID, claim.Token, 5)
		l.ok(u)
		return l.schedule(claim.Subject).Past.Work()[0]
	}
	for _, want := range []string{"", "later"} {
		if got := done(); got.Reason != want || got.Outcome != fsm.OutcomeUnchanged {
			t.Errorf("at level %d %+v is remembered", l.state.Read().Meta().Feature, got)
		}
		l.ok(&fsm.FeatureRaise{Level: 2})
	}
}
