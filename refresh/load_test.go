package refresh_test

import (
	"testing"
	"time"

	"github.com/musterhq/muster/fsm"
)

// held is how many nodes each peer's open claims stand for.
func (l *leader) held() map[string]int {
	polls := map[string]int{}
	r := l.state.Read()
	for c := range r.Claims() {
		if c.Subject.Kind == fsm.KindRefresh {
			for range r.Nodes(c.Subject.ID) {
				polls[c.Peer]++
			}
		}
	}
	return polls
}

// No peer gets more polls than the limit; what finds no room waits, and goes on as soon as there is some.
func TestPollsInFlightAreLimited(t *testing.T) {
	l := lead(t, 10, "a", "b")
	ids := l.read(4, 4, 4, 4, 4, 4, 4)
	l.begin()
	for range 8 {
		l.apply(l.beat(quarter)...)
		l.finishRuns()
	}
	if got := l.held(); got["a"] != 8 || got["b"] != 8 {
		t.Fatalf("polls in flight are %v, of 10 allowed two clusters of 4 fit", got)
	}
	if waiting, oldest := l.sched.Backlog(l.now()); waiting != 3 || oldest < 7*quarter {
		t.Errorf("%d wait, the oldest for %s", waiting, oldest)
	}
	worked := 0
	for _, id := range ids {
		if l.state.Read().Claim(fsm.Subject{Kind: fsm.KindRefresh, ID: id}) != nil {
			l.complete(id)
			l.apply(l.beat(quarter)...)
			worked++
		}
		if got := l.held(); got["a"] > 10 || got["b"] > 10 {
			t.Fatalf("polls in flight are %v", got)
		}
	}
	if got := l.held(); got["a"]+got["b"] != 4*(7-worked) {
		t.Errorf("%d were done, in flight are %v", worked, got)
	}
}

// A cluster bigger than the limit goes to a peer that has nothing else, and keeps it alone.
func TestBigClusterGoesAlone(t *testing.T) {
	l := lead(t, 10, "a")
	ids := l.read(3, 25, 3)
	l.begin()
	first := map[uint64]bool{}
	for range 4 {
		commands := l.beat(quarter)
		l.apply(commands...)
		l.finishRuns()
		for _, id := range refreshesOf(commands) {
			first[id] = true
		}
	}
	if big := first[ids[1]]; big == (first[ids[0]] || first[ids[2]]) {
		t.Fatalf("claims at once: %v", first)
	}
	for id := range first {
		l.complete(id)
	}
	l.apply(l.beat(quarter)...)
	if l.held()["a"] == 0 {
		t.Error("nothing follows")
	}
}

// A big cluster gets its turn though small ones, always due, leave no peer empty by chance.
func TestBigClusterIsNotStarved(t *testing.T) {
	l := lead(t, 10, "a", "b")
	ids := l.read(3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 25)
	big := ids[12]
	l.respec(func(s *fsm.RefreshSpec) { s.Interval = fsm.Second })
	l.begin()
	ends, rounds := map[uint64]time.Duration{}, map[uint64]int{} // each claim takes one to three beats
	for i := range 4 * 60 {
		for id, at := range ends {
			if at <= l.mono {
				l.complete(id)
				delete(ends, id)
				rounds[id]++
			}
		}
		commands := l.beat(quarter)
		l.apply(commands...)
		l.finishRuns()
		for _, id := range refreshesOf(commands) {
			ends[id] = l.mono + time.Duration(1+(i+int(id))%3)*quarter
		}
	}
	if rounds[big] < 20 {
		t.Errorf("in a minute the big cluster was refreshed %d times, the others %v", rounds[big], rounds)
	}
	for _, id := range ids[:12] {
		if rounds[id] < 15 {
			t.Errorf("cluster %d was refreshed %d times in a minute", id, rounds[id])
		}
	}
}

// let makes a peer let its claims expire while others complete theirs, for a while; it returns how many claims the peer
// was granted.
func (l *leader) let(lazy string, d time.Duration) (granted int) {
	l.t.Helper()
	for end := l.mono + d; l.mono < end; {
		commands := l.beat(quarter)
		l.apply(commands...)
		for _, c := range commands {
			if g, ok := c.(*fsm.ClaimGrant); ok && g.Peer == lazy && g.Kind == fsm.KindRefresh {
				granted += len(g.IDs)
			}
		}
		for c := range l.state.Read().Claims() {
			if c.Peer != lazy {
				l.closeClaim(c)
			}
		}
	}
	return granted
}

func (l *leader) closeClaim(c *fsm.Claim) {
	if c.Subject.Kind == fsm.KindRun {
		l.finishRuns()
		return
	}
	l.complete(c.Subject.ID)
}

// A peer that lets three claims running expire gets none for a minute, then one at a time until it completes one.
func TestPeerThatCompletesNothingIsSuspended(t *testing.T) {
	l := lead(t, 100, "a", "b")
	l.read(2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2)
	l.begin()
	if n := l.let("b", 20*time.Second); n < 3 {
		t.Fatalf("%d claims for b", n)
	}
	if n := l.let("b", 54*time.Second); n > 0 {
		t.Errorf("%d claims for a suspended peer", n)
	}
	for range 2 { // on probation, and again after another minute
		ready := l.ready
		l.ready = nil
		l.let("", time.Minute) // so that all are due
		l.ready = ready
		first := l.beat(quarter)
		l.apply(first...)
		n := 0
		for range l.state.Read().ClaimsOf("b") {
			n++
		}
		if n != 1 {
			t.Errorf("%d claims at once for a peer on probation", n)
		}
		if n := l.let("b", 50*time.Second); n > 2 {
			t.Errorf("%d further claims for a peer on probation that completes none", n)
		}
	}
	l.let("", 3*time.Minute)
	most := 0
	for range 240 {
		l.apply(l.beat(quarter)...)
		n := 0
		for range l.state.Read().ClaimsOf("b") {
			n++
		}
		most = max(most, n)
		if n > 1 || l.mono%(2*time.Second) == 0 {
			for c := range l.state.Read().Claims() {
				l.closeClaim(c)
			}
		}
	}
	if most < 2 {
		t.Errorf("a peer that completes again holds %d claims at once", most)
	}
}

// The only ready peer always gets claims, whatever it let expire.
func TestOnlyPeerIsNeverSuspended(t *testing.T) {
	l := lead(t, 100, "a")
	l.read(2, 2, 2, 2, 2)
	l.begin()
	l.let("a", 40*time.Second)
	if n := l.let("a", time.Minute); n < 5*3 {
		t.Errorf("%d claims in a minute for an only peer that lets all of them expire", n)
	}
}

// The only ready peer that an `on` allows gets the claims of its clusters, whatever it let expire, and none of others.
func TestOnlyPeerOfAPlaceIsNeverSuspended(t *testing.T) {
	l := lead(t, 100, "a", "b")
	ids := l.read(2, 2, 2, 2, 2)
	l.respec(func(s *fsm.RefreshSpec) { s.On = "a" })
	l.begin()
	l.let("a", 40*time.Second)
	if n := l.let("a", time.Minute); n < len(ids)*3 {
		t.Errorf("%d claims in a minute for the only peer allowed, which lets all of them expire", n)
	}
	for range 80 { // until all of them have expired and are granted anew
		if l.apply(l.beat(quarter)...); l.held()["a"] == 0 {
			break
		}
	}
	l.apply(l.beat(2 * time.Second)...)
	if n := l.held()["a"]; n != 2*len(ids) {
		t.Fatalf("a beat gives the only peer allowed %d polls, want all %d", n, 2*len(ids))
	}
	open := l.state.Read().Claim(fsm.Subject{Kind: fsm.KindRefresh, ID: ids[0]})
	l.apply(&fsm.ClaimAbandon{Claims: []fsm.Ticket{open.Ticket()}})
	if l.apply(l.beat(quarter)...); l.state.Read().Claim(open.Subject) == nil {
		t.Error("what the only peer allowed gave back waits for its other claims")
	}
	l.respec(func(s *fsm.RefreshSpec) { s.On = fsm.OnAny })
	if n := l.let("a", 20*time.Second); n > 0 {
		t.Errorf("%d claims for a suspended peer where another may do them", n)
	}
}

// A peer most of whose failures others do not see is doubted: one event, no claims for a minute; one whose failures others
// see too is not.
func TestPeerIsDoubted(t *testing.T) {
	for _, blind := range []bool{true, false} {
		l := lead(t, 100, "a", "b", "c")
		sizes := make([]int, 30)
		for i := range sizes {
			sizes[i] = 2
		}
		l.read(sizes...)
		l.begin()
		doubted, after := 0, 0
		for range 4 * 60 {
			commands := l.beat(quarter)
			l.apply(commands...)
			for _, c := range commands {
				switch c := c.(type) {
				case *fsm.PeerSet:
					doubted++
					until := l.now().Time.Add(fsm.Minute)
					if c.Peer.ID != "b" || c.Peer.Doubted != until || c.Reason == "" {
						t.Errorf("doubted is %+v: %s", c.Peer, c.Reason)
					}
				case *fsm.ClaimGrant:
					if doubted > 0 && c.Peer == "b" {
						after++
					}
				}
			}
			l.finishRuns()
			for c := range l.state.Read().Claims() {
				if c.Peer == "b" || !blind {
					l.answer(c.Subject.ID, "n0", "n1")
				} else {
					l.answer(c.Subject.ID)
				}
			}
		}
		if blind && (doubted != 1 || after > 0) || !blind && doubted > 0 {
			t.Errorf("blind %v: doubted %d times, %d commands of claims after that", blind, doubted, after)
		}
	}
}

// A discovery whose runs fail is tried again after 1, 2, 4 … seconds, and at its interval once a run succeeds.
func TestFailedRunsAreTriedAgain(t *testing.T) {
	l := lead(t, 100, "a")
	l.begin()
	d := l.state.Read().Discovery("d")
	subject := fsm.Subject{Kind: fsm.KindRun, ID: d.ID}
	finish := func(failure string) time.Duration {
		began := l.mono
		for l.state.Read().Claim(subject) == nil {
			if l.mono-began > 2*time.Hour {
				t.Fatal("no run within two hours")
			}
			l.apply(l.beat(quarter)...)
		}
		wait := l.mono - began
		l.apply(&fsm.RunComplete{
			Discovery: d.ID, Settings: d.Settings, Token: l.state.Read().Claim(subject).Token, Outcome: &fsm.RunOutcome{Error: failure},
		})
		return wait
	}
	finish("no leader")
	for i, seconds := range []int{1, 2, 4, 8, 16, 32, 64, 128, 180, 180} {
		want := time.Duration(seconds) * time.Second
		if got := finish("no leader"); got < want || got > want+quarter {
			t.Errorf("try %d came after %s, want %s", i, got, want)
		}
	}
	finish("")
	if got := finish(""); got < 10*time.Minute {
		t.Errorf("after a good run the next came after %s, the interval is an hour", got)
	}
	finish("no leader")
	if got := finish(""); got > 1250*time.Millisecond {
		t.Errorf("after a first failure the next run came after %s", got)
	}
}
