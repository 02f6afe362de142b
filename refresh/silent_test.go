package refresh_test

import (
	"testing"
	"time"

	"github.com/musterhq/muster/fsm"
)

// shared begins a term in which peers a and b hold claims, and returns how many b holds.
func shared(l *leader, clusters int) (held int) {
	l.t.Helper()
	sizes := make([]int, clusters)
	for i := range sizes {
		sizes[i] = 1
	}
	l.read(sizes...)
	l.begin()
	l.apply(l.beat(quarter)...)
	l.finishRuns()
	for range l.state.Read().ClaimsOf("b") {
		held++
	}
	if held < 3 {
		l.t.Fatalf("b holds %d claims", held)
	}
	return held
}

// expiriesOf are how many claims commands take from a peer, by reason.
func expiriesOf(commands []fsm.Command, peer string) map[string]int {
	out := map[string]int{}
	for _, c := range commands {
		if x, ok := c.(*fsm.ClaimExpire); ok && x.Peer == peer {
			out[x.Reason] += len(x.Claims)
		}
	}
	return out
}

// The claims of a peer that is silent expire at once, and once; others do its work, and it gets as much again when it is
// heard, since it did not let them pass.
func TestClaimsOfSilentPeerExpire(t *testing.T) {
	l := lead(t, 100, "a", "b")
	held := shared(l, 20)
	l.ready = l.ready[:1]
	l.sched.Silent("b", l.now())
	first := l.beat(quarter)
	if got := expiriesOf(first, "b"); got["peer_silent"] != held || expiredOf(first) != held {
		t.Fatalf("%d claims expire, of b %v; want its %d", expiredOf(first), got, held)
	}
	l.sched.Silent("b", l.now())
	if n := expiredOf(l.beat(quarter)); n > 0 {
		t.Errorf("%d claims expire again while the first command may be on its way", n)
	}
	l.apply(first...)
	if n := len(refreshesOf(l.beat(quarter))); n != held {
		t.Errorf("%d claims are granted to others, want %d", n, held)
	}
	l.ready = append(l.ready, l.state.Read().Peer("b"))
	l.sched.Heard("b", 0, l.index)
	l.let("", time.Minute)
	most := 0
	for end := l.mono + 30*time.Second; l.mono < end; {
		l.apply(l.beat(quarter)...)
		n := 0
		for range l.state.Read().ClaimsOf("b") {
			n++
		}
		most = max(most, n)
	}
	if most < 3 {
		t.Errorf("a peer that is heard again holds %d claims at once", most)
	}
}

// What a peer is granted while it falls silent expires with the next beat; what it is granted once it is heard again stays.
func TestGrantOnItsWayToSilentPeerExpires(t *testing.T) {
	for _, heard := range []bool{false, true} {
		l := lead(t, 100, "b")
		l.read(1)
		l.finishRuns()
		l.begin()
		grant := l.beat(quarter)
		l.sched.Silent("b", l.now())
		if heard {
			l.sched.Heard("b", 0, l.index)
		}
		l.apply(grant...)
		if n := expiredOf(l.beat(quarter)); (n > 0) == heard {
			t.Errorf("heard again: %v; %d claims expire", heard, n)
		}
	}
}

// Many claims expire in several commands, each a small part of an entry.
func TestManyClaimsExpireInParts(t *testing.T) {
	l := lead(t, 100_000, "a", "b")
	held := shared(l, 6000)
	l.sched.Silent("b", l.now())
	commands, n := l.beat(quarter), 0
	for _, c := range commands {
		if x, ok := c.(*fsm.ClaimExpire); ok {
			n += len(x.Claims)
			if size := len(fsm.Frame(x)); len(x.Claims) > 2048 || size > 64<<10 {
				t.Errorf("%d claims expire by %d bytes", len(x.Claims), size)
			}
		}
	}
	if n != held {
		t.Errorf("%d claims expire, want %d", n, held)
	}
}

// What a silent peer is granted in the moment before its word comes has its whole ttl once it has come: it expires as out of
// time when that has passed, and no sooner.
func TestGrantJustBeforeThePeerIsHeardStays(t *testing.T) {
	l := lead(t, 100, "a", "b")
	id := l.read(1)[0]
	l.begin()
	l.sched.Silent("b", l.now())
	l.apply(&fsm.ClaimGrant{
		Kind: fsm.KindRefresh, Peer: "b", TTL: 15 * fsm.Second, Reason: fsm.WhyAsked, IDs: []uint64{id},
	})
	l.sched.Heard("b", 0, l.index)
	granted := l.mono
	for l.mono < granted+20*time.Second {
		commands := l.beat(quarter)
		if n := expiredOf(commands); n > 0 {
			if got := expiriesOf(commands, "b"); n != 1 || got["ttl"] != 1 || l.mono-granted < 15*time.Second {
				t.Fatalf("after %s of 15s these claims expire: %v", l.mono-granted, got)
			}
			return
		}
		l.apply(commands...)
		l.finishRuns()
	}
	t.Error("the claim does not expire at all")
}
