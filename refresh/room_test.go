package refresh_test

import (
	"testing"
	"time"

	"github.com/musterhq/muster/fsm"
)

// grantAll beats once and applies what is granted; it returns how many refreshes that were.
func (l *leader) grantAll() int {
	l.t.Helper()
	commands := l.beat(quarter)
	l.apply(commands...)
	l.finishRuns()
	return len(refreshesOf(commands))
}

// A claim whose holder waits for one silent node holds the room of one poll, from when its peer has said so; what the peer
// has not begun by then counts in full.
func TestRoundThatWaitsHoldsRoomForWhatItWaitsFor(t *testing.T) {
	l := lead(t, 10, "a")
	l.finishRuns()
	ids := l.read(4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4)
	l.begin()
	l.grantAll() // the run, and what it leaves room for
	if l.grantAll(); l.held()["a"] != 8 {
		t.Fatalf("%d polls are held, want 8", l.held()["a"])
	}
	if n := l.grantAll(); n != 0 {
		t.Fatalf("%d claims beyond the room of 10 polls", n)
	}
	l.sched.Heard("a", 2, l.index)
	if n := l.grantAll(); n != 2 {
		t.Fatalf("2 polls are under way: %d claims of 4 more, want 2", n)
	}
	if n := l.grantAll(); n != 0 {
		t.Fatalf("%d claims more while nothing was heard of the last ones", n)
	}
	l.sched.Heard("a", 7, l.index)
	if n := l.grantAll(); n != 0 {
		t.Fatalf("%d claims of 4 where 7 of 10 polls are under way", n)
	}
	for _, id := range ids { // what closes frees its room without a word, but for what is under way of the others
		if l.state.Read().Claim(fsm.Subject{Kind: fsm.KindRefresh, ID: id}) != nil && l.held()["a"] > 4 {
			l.complete(id)
		}
	}
	if n := l.grantAll(); n != 1 {
		t.Fatalf("%d claims where a claim of 4 polls is open, want 1", n)
	}
}

// Polls that no claim stands for take room as others do; they keep no cluster that is bigger than the limit from its peer.
func TestPollsBeyondClaimsTakeRoom(t *testing.T) {
	for _, c := range []struct{ size, beyond, claims int }{{4, 6, 1}, {4, 7, 0}, {25, 7, 1}} {
		l := lead(t, 10, "a")
		l.read(c.size)
		l.finishRuns()
		l.begin()
		spec := l.state.Read().Discovery("d").Spec
		spec.Enabled = false
		l.apply(&fsm.DiscoveryApply{Name: "d", Spec: spec})
		l.sched.Heard("a", c.beyond, l.index)
		if n := l.grantAll(); n != c.claims {
			t.Errorf("%d polls beyond claims, limit 10: %d claims of %d polls, want %d", c.beyond, n, c.size, c.claims)
		}
	}
}

// What waits for the only peer that its `on` allows, which is full, does not hold up what others may do.
func TestFullPeerOfAPlaceHoldsUpNobodyElse(t *testing.T) {
	l := lead(t, 2, "a", "b")
	l.read(2, 2)
	l.respec(func(s *fsm.RefreshSpec) { s.On = "a" })
	l.begin()
	if n := l.grantAll(); n != 1 {
		t.Fatalf("%d claims of 2 polls where a has room for 2, want 1", n)
	}
	l.apply(l.beat(5 * time.Second)...)
	d := l.state.Read().Discovery("d")
	spec := d.Spec
	spec.Interval = 2 * fsm.Hour
	l.apply(&fsm.DiscoveryApply{Name: "d", Spec: spec})
	l.apply(l.beat(quarter)...)
	if run := l.state.Read().Claim(fsm.Subject{Kind: fsm.KindRun, ID: d.ID}); run == nil || run.Peer != "b" {
		t.Errorf("the run that is due is claimed as %+v, want one of b", run)
	}
}

// A cluster that waits keeps its place in the backlog whatever touches it, also where its `on` allows no ready peer.
func TestWhatWaitsKeepsItsPlace(t *testing.T) {
	l := lead(t, 100, "a")
	id := l.read(2)[0]
	l.respec(func(s *fsm.RefreshSpec) { s.On = "b" })
	l.begin()
	for range 40 {
		l.apply(l.beat(quarter)...)
		l.finishRuns()
		l.list("d", "n0", "n1", "n2")
		l.list("d", "n0", "n1")
	}
	for range 3 { // of which it is looked at in one
		l.apply(l.beat(quarter)...)
		if waiting, oldest := l.sched.Backlog(l.now()); waiting != 1 || oldest != l.mono {
			t.Errorf("after %s %d wait, the oldest for %s; want cluster %d for all that time", l.mono, waiting, oldest, id)
		}
	}
}

// How late a refresh is counts from its slot, through a change of leaders too.
func TestLateness(t *testing.T) {
	l := lead(t, 10_000, "a")
	sizes := make([]int, 300)
	for i := range sizes {
		sizes[i] = 1
	}
	l.read(sizes...)
	l.begin()
	l.work(time.Minute)
	for _, asleep := range []time.Duration{0, 15 * time.Second, time.Hour} {
		l.mono += asleep
		l.begin()
		var late []time.Duration
		l.sched.Late = func(d time.Duration) { late = append(late, d) }
		claims := len(l.work(30 * time.Second))
		if len(late) != claims {
			t.Errorf("asleep for %s: %d claims, %d were told of", asleep, claims, len(late))
		}
		longest, over := time.Duration(0), 0
		for _, d := range late {
			longest = max(longest, d)
			if d > quarter {
				over++
			}
		}
		want, most := 0, 2*quarter // a group that slept for longer than the interval starts over
		if asleep == 15*time.Second {
			want, most = 150, asleep+2*quarter
		}
		if longest > most || over < want*7/10 || over > want*13/10 {
			t.Errorf("asleep for %s: %d claims are late by more than a beat, by %s at most", asleep, over, longest)
		}
	}
}
