package refresh_test

import (
	"slices"
	"testing"
	"time"

	"github.com/musterhq/muster/fsm"
)

// paused has all scheduling paused for a time from now on.
func (l *leader) paused(d time.Duration) {
	l.t.Helper()
	l.apply(&fsm.FeatureRaise{Level: 2}, &fsm.SchedulePause{Pause: fsm.Pause{Until: l.now().Time.Add(fsm.DurationOf(d))}})
}

// While all is paused no claim is granted, though much is due; those that are open expire as ever, and it ends by itself.
func TestPausedGrantsNothing(t *testing.T) {
	l := lead(t, 100, "a")
	l.read(1, 1, 1)
	l.begin()
	l.apply(l.beat(quarter)...) // claims that nobody completes
	l.paused(10 * time.Minute)
	expired := 0
	for l.mono < 10*time.Minute {
		commands := l.beat(quarter)
		expired += expiredOf(commands)
		if ids := grantsOf(commands); len(ids) > 0 {
			t.Fatalf("at %s %v are granted", l.mono, ids)
		}
		if at, now := l.sched.Look(); now && at <= l.mono {
			t.Fatalf("at %s another beat is wanted at %s", l.mono, at)
		}
		l.apply(commands...)
	}
	if expired < 3 {
		t.Errorf("%d claims expired", expired)
	}
	if ids := refreshesOf(l.beat(2 * quarter)); len(ids) != 3 {
		t.Errorf("after the pause %v are granted: claims that were lost are due at once", ids)
	}
}

// What slept through a long pause is taken up at its next slots, each cluster at its own, and not all at once; what was due for
// less than its interval is done first.
func TestPauseMissesSlots(t *testing.T) {
	l := lead(t, 1000, "a")
	ids := l.read(slices.Repeat([]int{1}, 60)...)
	l.begin()
	l.work(time.Minute)
	l.paused(10 * time.Minute)
	if at := l.work(10*time.Minute - quarter); len(at) > 0 {
		t.Fatalf("granted at %s", at)
	}
	began := l.mono
	at := l.work(30*time.Second + 2*quarter)
	perBeat := map[time.Duration]int{}
	for _, when := range at {
		perBeat[when]++
	}
	most := 0
	for _, n := range perBeat {
		most = max(most, n)
	}
	if len(at) < len(ids) || most > len(ids)/6 {
		t.Errorf("in the interval after the pause, from %s, %d of %d are granted, %d of them in one beat", began, len(at), len(ids), most)
	}
}

// A pause that is ended early lets go at the next beat.
func TestResumedGrantsAgain(t *testing.T) {
	l := lead(t, 100, "a")
	id := l.read(1)[0]
	l.begin()
	l.paused(time.Hour)
	l.apply(l.beat(quarter)...)
	l.apply(&fsm.ScheduleResume{})
	if ids := refreshesOf(l.beat(quarter)); !slices.Equal(ids, []uint64{id}) {
		t.Errorf("%v are granted", ids)
	}
}

// What is to be looked at sooner than a beat, and room that was freed, wait with the rest.
func TestPausedLooksAtNothing(t *testing.T) {
	l := lead(t, 1, "a", "b")
	ids := l.read(1, 1, 1)
	l.begin()
	l.apply(l.beat(quarter)...)
	var open []uint64
	for _, id := range ids {
		if l.state.Read().Claim(fsm.Subject{Kind: fsm.KindRefresh, ID: id}) != nil {
			open = append(open, id)
		}
	}
	l.answer(open[0], "n0") // it failed, and is to be asked again; its room is free for the third
	if _, ok := l.sched.Look(); !ok || len(open) != 2 {
		t.Fatalf("%v are open, and nothing is looked at", open)
	}
	l.paused(time.Hour)
	l.apply(l.beat(time.Second)...)
	l.complete(open[1])
	if at, ok := l.sched.Look(); ok {
		t.Fatalf("at %s another beat is wanted at %s", l.mono, at)
	}
}
