package refresh_test

import (
	"testing"
	"time"

	"github.com/musterhq/muster/fsm"
)

const quarter = 250 * time.Millisecond

// complete closes the open claim of a cluster as a round that changed nothing.
func (l *leader) complete(id uint64) {
	l.t.Helper()
	open := l.state.Read().Claim(fsm.Subject{Kind: fsm.KindRefresh, ID: id})
	if open == nil {
		l.t.Fatalf("cluster %d has no open claim", id)
	}
	done := &fsm.RefreshUnchanged{AsOf: l.index}
	done.Add(id, open.Token, 1)
	l.apply(done)
}

// finishRuns closes the open claim of the discovery as a run that changed nothing.
func (l *leader) finishRuns() {
	l.t.Helper()
	d := l.state.Read().Discovery("d")
	if open := l.state.Read().Claim(fsm.Subject{Kind: fsm.KindRun, ID: d.ID}); open != nil {
		l.apply(&fsm.RunComplete{Discovery: d.ID, Settings: d.Settings, Token: open.Token, Outcome: &fsm.RunOutcome{}})
	}
}

// refreshesOf are the clusters for which commands grant claims.
func refreshesOf(commands []fsm.Command) (ids []uint64) {
	for _, c := range commands {
		if g, ok := c.(*fsm.ClaimGrant); ok && g.Kind == fsm.KindRefresh {
			ids = append(ids, g.IDs...)
		}
	}
	return ids
}

// work beats for a while and completes every claim at once; it returns when each grant was made.
func (l *leader) work(d time.Duration) (at []time.Duration) {
	l.t.Helper()
	for end := l.mono + d; l.mono < end; {
		commands := l.beat(quarter)
		l.apply(commands...)
		l.finishRuns()
		for _, id := range refreshesOf(commands) {
			at = append(at, l.mono)
			l.complete(id)
		}
	}
	return at
}

// respec sets refresh settings of the discovery "d".
func (l *leader) respec(change func(*fsm.RefreshSpec)) {
	l.t.Helper()
	spec := l.state.Read().Discovery("d").Spec
	change(&spec.Refresh)
	d := l.state.Read().Discovery("d")
	l.apply(&fsm.DiscoveryApply{Name: "d", Spec: spec})
	l.apply(&fsm.ClaimGrant{Kind: fsm.KindRun, Peer: "a", TTL: fsm.Minute, Reason: fsm.WhyAsked, IDs: []uint64{d.ID}})
	l.finishRuns()
}

// A cluster is due when first seen, then once for each slot, within a beat of it, for hours.
func TestOneClaimForEachSlot(t *testing.T) {
	l := lead(t, 100, "a")
	id := l.read(3)[0]
	l.begin()
	at := l.work(2 * time.Hour)
	if at[0] != quarter {
		t.Errorf("first claim after %s, want the first beat", at[0])
	}
	if n := len(at); n < 240 || n > 242 {
		t.Errorf("%d claims in two hours at an interval of 30s", n)
	}
	subject := fsm.Subject{Kind: fsm.KindRefresh, ID: id}
	for i, mono := range at[1:] {
		granted := fsm.Time(1_000_000_000 + mono.Milliseconds())
		slot := fsm.NextSlot(subject, 30*fsm.Second, granted-250)
		if granted < slot || granted.Sub(slot) > 250 {
			t.Fatalf("claim %d came at %s, its slot was at %s", i+1, granted, slot)
		}
	}
}

// Slots that nobody could work in collapse into one claim.
func TestMissedSlotsCollapse(t *testing.T) {
	l := lead(t, 100, "a")
	l.read(3)
	l.begin()
	l.work(time.Minute)
	ready := l.ready
	l.ready = nil
	if at := l.work(time.Hour); len(at) > 0 {
		t.Fatalf("%d claims without a ready peer", len(at))
	}
	l.ready = ready
	if at := l.work(10 * time.Second); len(at) == 0 || len(at) > 2 {
		t.Errorf("%d claims in 10s after an hour without peers", len(at))
	}
}

// A new leader lets what is overdue by more than an interval wait for its next slot, so that all slots are kept apart, and
// takes the rest up at once.
func TestTakeoverSpreadsWhatIsOverdue(t *testing.T) {
	l := lead(t, 10_000, "a")
	sizes := make([]int, 300)
	for i := range sizes {
		sizes[i] = 1
	}
	l.read(sizes...)
	l.begin()
	l.work(time.Minute)
	for _, c := range []struct {
		asleep time.Duration
		least  int
		most   int // of the claims in the first second
	}{{15 * time.Second, 120, 190}, {time.Hour, 0, 40}} {
		l.mono += c.asleep
		l.begin()
		if n := len(l.work(time.Second)); n < c.least || n > c.most {
			t.Errorf("asleep for %s: %d of 300 claims in the first second, want %d to %d", c.asleep, n, c.least, c.most)
		}
		if n := len(l.work(30 * time.Second)); n < 250 || n > 320 {
			t.Errorf("asleep for %s: %d of 300 claims in the interval after it", c.asleep, n)
		}
	}
}

// A new leader gives open claims their whole ttl again, but those of peers that are gone.
func TestTakeoverGivesClaimsAFreshTTL(t *testing.T) {
	l := lead(t, 100, "a", "b")
	l.read(1, 1, 1, 1, 1, 1, 1, 1)
	l.begin()
	l.apply(l.beat(quarter)...)
	held := map[string]int{}
	for c := range l.state.Read().Claims() {
		held[c.Peer]++
	}
	if held["a"] == 0 || held["b"] == 0 {
		t.Fatalf("claims are held as %v", held)
	}
	l.mono += 14 * time.Second
	l.apply(&fsm.PeerSet{Peer: fsm.Peer{ID: "b", Name: "b", Status: fsm.PeerGone}})
	l.ready = l.ready[:1]
	l.begin()
	first := l.beat(quarter)
	l.apply(first...)
	if n := expiredOf(first); n != held["b"] {
		t.Errorf("%d claims expire at once, the peer that is gone held %d", n, held["b"])
	}
	for _, c := range first {
		if x, ok := c.(*fsm.ClaimExpire); ok && (x.Peer != "b" || x.Reason != "peer_gone") {
			t.Errorf("claims of %s expire: %s", x.Peer, x.Reason)
		}
	}
	l.work(14 * time.Second)
	for c := range l.state.Read().ClaimsOf("a") {
		l.mono += 750 * time.Millisecond
		last := l.beat(quarter)
		if n := expiredOf(last); n != held["a"] {
			t.Errorf("%d claims expire when their fresh ttl is over, want %d, one of them %v", n, held["a"], c.Subject)
		}
		break
	}
}

// A claim that goes on, part by part, keeps its holder; one that does not expires, after its ttl and not before.
func TestTTLBeginsAnewWithEachPart(t *testing.T) {
	l := lead(t, 100, "a")
	id := l.read(3)[0]
	l.begin()
	l.apply(l.beat(quarter)...)
	open := l.state.Read().Claim(fsm.Subject{Kind: fsm.KindRefresh, ID: id})
	for part := range uint32(4) {
		if n := expiredOf(l.beat(14 * time.Second)); n > 0 {
			t.Fatalf("a claim expired %d parts into its work", part)
		}
		base := l.state.Read().ClusterByID(id).Index
		if res := l.apply(&fsm.RefreshComplete{Cluster: id, Token: open.Token, Part: part, Base: base}).Results[0]; res.Error != nil {
			t.Fatal(res.Error)
		}
	}
	if n := expiredOf(l.beat(14 * time.Second)); n > 0 {
		t.Error("it expired before its ttl")
	}
	if n := expiredOf(l.beat(2 * time.Second)); n != 1 {
		t.Error("it did not expire after its ttl")
	}
}

// Work goes only to peers that `on` names; while none of them is ready it waits, and does not keep others from theirs.
func TestOnIsKept(t *testing.T) {
	l := lead(t, 100, "a", "b", "c")
	l.read(1, 1, 1, 1, 1, 1)
	for i, p := range l.ready {
		p.Labels = map[string]string{"zone": []string{"x", "y", "y"}[i]}
		l.apply(&fsm.PeerSet{Peer: *p})
	}
	all := l.ready
	for on, want := range map[string]string{"a": "a", "zone=x": "a", "zone=y": "bc", "any": "abc"} {
		l.respec(func(s *fsm.RefreshSpec) { s.On = on })
		l.ready = all
		l.begin()
		got := map[string]bool{}
		for range 240 {
			commands := l.beat(quarter)
			l.apply(commands...)
			for _, c := range commands {
				g, ok := c.(*fsm.ClaimGrant)
				if !ok || g.Kind != fsm.KindRefresh {
					continue
				}
				got[g.Peer] = true
				if g.Alone != (len(want) == 1) {
					t.Errorf("on %s: alone is %v", on, g.Alone)
				}
				for _, id := range g.IDs {
					l.complete(id)
				}
			}
		}
		for _, id := range []string{"a", "b", "c"} {
			if got[id] != (len(want) == 3 || want == id || want == "bc" && id != "a") {
				t.Errorf("on %s: work for %s is %v", on, id, got[id])
			}
		}
	}
	l.respec(func(s *fsm.RefreshSpec) { s.On = "a" })
	l.ready = all[1:]
	l.begin()
	if at := l.work(2 * time.Minute); len(at) > 0 {
		t.Errorf("%d claims while the only peer of `on` is away", len(at))
	}
	l.ready = all
	if at := l.work(1250 * time.Millisecond); len(at) != 6 {
		t.Errorf("%d of 6 claims when it is back", len(at))
	}
}

// What a beat grants to one peer travels as one command, at most 2048 claims in each.
func TestGrantsTravelTogether(t *testing.T) {
	l := lead(t, 100_000, "a", "b")
	sizes := make([]int, 5000)
	for i := range sizes {
		sizes[i] = 1
	}
	l.read(sizes...)
	l.begin()
	commands, granted := l.beat(quarter), 0
	for _, c := range commands {
		g := c.(*fsm.ClaimGrant)
		granted += len(g.IDs)
		if len(g.IDs) > 2048 {
			t.Errorf("a command grants %d claims", len(g.IDs))
		}
	}
	if granted != 5000 || len(commands) > 4 {
		t.Errorf("%d claims in %d commands, want 5000 in 4 at most", granted, len(commands))
	}
}
