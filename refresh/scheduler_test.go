package refresh_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

// leader is a state and its scheduler, stepped by hand.
type leader struct {
	t     testing.TB
	state *fsm.State
	index uint64
	mono  time.Duration
	sched *refresh.Scheduler
	ready []*fsm.Peer
}

// lead makes a group of these peers, all ready, with so many polls in flight per peer and one discovery.
func lead(t testing.TB, inFlight int, peers ...string) *leader {
	t.Helper()
	l := &leader{t: t, state: fsm.NewState(), index: 10}
	settings := fsm.DefaultSettings()
	settings.Limits.InFlight = inFlight
	l.apply(&fsm.GroupCreate{Group: "g", Epoch: "e"}, &fsm.SettingsSet{Settings: settings})
	for _, id := range peers {
		p := fsm.Peer{ID: id, Name: id, Status: fsm.PeerAlive}
		l.apply(&fsm.PeerSet{Peer: p})
		l.ready = append(l.ready, &p)
	}
	spec := fsm.DefaultSpec()
	spec.Backend, spec.Interval = "file", fsm.Hour
	l.apply(&fsm.DiscoveryApply{Name: "d", Spec: spec})
	return l
}

func (l *leader) now() refresh.Instant {
	return refresh.Instant{Time: 1_000_000_000 + fsm.Time(l.mono.Milliseconds()), Mono: l.mono}
}

// apply applies one entry and tells the scheduler what it touched.
func (l *leader) apply(commands ...fsm.Command) *fsm.Applied {
	l.t.Helper()
	var frames [][]byte
	for _, c := range commands {
		frames = append(frames, fsm.Frame(c))
	}
	l.index++
	a, err := l.state.Apply(l.index, fsm.Entry(l.now().Time, frames...))
	if err != nil {
		l.t.Fatal(err)
	}
	if l.sched != nil {
		l.sched.Update(l.state.Read(), a.Touched, l.now())
	}
	return a
}

// read does a run that brings in clusters of so many nodes each, and returns their ids.
func (l *leader) read(sizes ...int) []uint64 {
	l.t.Helper()
	d := l.state.Read().Discovery("d")
	token := l.apply(&fsm.ClaimGrant{
		Kind: fsm.KindRun, Peer: "a", TTL: fsm.Minute, Reason: fsm.WhyAsked, IDs: []uint64{d.ID},
	}).Results[0].Claim.Token
	run := &fsm.RunComplete{Discovery: d.ID, Settings: d.Settings, Token: token, Outcome: &fsm.RunOutcome{}}
	for i, size := range sizes {
		in := fsm.Reading{Discovery: d.ID, Cluster: fmt.Sprintf("c%d", i), Now: l.now().Time, Full: true}
		for n := range size {
			in.Records = append(in.Records, fsm.Record{
				Cluster: in.Cluster, Node: fmt.Sprintf("n%d", n), Address: "127.0.0.1", Port: 1000 + n,
			})
		}
		run.Enrolments = append(run.Enrolments, fsm.Enlist(&fsm.Roll{
			View: &fsm.View{Nodes: map[string]*fsm.Node{}}, Discoveries: map[uint64]*fsm.Discovery{d.ID: d},
		}, in))
	}
	l.apply(run)
	var ids []uint64
	for i := range sizes {
		ids = append(ids, l.state.Read().Cluster(fmt.Sprintf("c%d", i)).ID)
	}
	return ids
}

func (l *leader) begin() { l.sched = refresh.NewScheduler(l.state.Read(), l.now()) }

func (l *leader) beat(after time.Duration) []fsm.Command {
	l.mono += after
	return l.sched.Beat(l.state.Read(), l.ready, l.now())
}

func grantsOf(commands []fsm.Command) (ids []uint64) {
	for _, c := range commands {
		if g, ok := c.(*fsm.ClaimGrant); ok {
			ids = append(ids, g.IDs...)
		}
	}
	return ids
}

func expiredOf(commands []fsm.Command) (n int) {
	for _, c := range commands {
		if x, ok := c.(*fsm.ClaimExpire); ok {
			n += len(x.Claims)
		}
	}
	return n
}

// Claims that nobody completes fill their peer; they expire though what waits behind them was due long before.
func TestClaimsExpireWhilePeersAreFull(t *testing.T) {
	l := lead(t, 1, "a")
	l.read(1, 1)
	l.begin()
	first := l.beat(0)
	if ids := grantsOf(first); len(ids) != 1 {
		t.Fatalf("%d claims are granted to a peer with room for one", len(ids))
	}
	l.apply(first...)
	if late := l.beat(14 * time.Second); len(late) > 0 {
		t.Fatalf("%d commands before the claim's ttl is over", len(late))
	}
	late := l.beat(2 * time.Second)
	if n := expiredOf(late); n != 1 {
		t.Fatalf("%d claims expire after their ttl, with a cluster waiting; want 1", n)
	}
	l.apply(late...)
	if ids := grantsOf(l.beat(time.Second)); len(ids) != 1 {
		t.Fatalf("%d claims are granted after the expiry, want 1", len(ids))
	}
}

// A grant that never came into the log is granted again, whatever room it had taken.
func TestLostGrantsAreGrantedAgain(t *testing.T) {
	for _, size := range []int{1, 6, 20} {
		l := lead(t, 10, "a")
		l.read(size)
		l.begin()
		if n := len(grantsOf(l.beat(0))); n != 1 {
			t.Fatalf("cluster of %d nodes: %d grants, want 1", size, n)
		}
		if n := len(grantsOf(l.beat(time.Second))); n != 0 {
			t.Fatalf("cluster of %d nodes: granted again while the first grant may be on its way", size)
		}
		if n := len(grantsOf(l.beat(2 * time.Second))); n != 1 {
			t.Errorf("cluster of %d nodes: %d grants after the first was lost, want 1", size, n)
		}
	}
}

// Where every ready peer has let its claims expire, all are given claims all the same.
func TestAllPeersSuspended(t *testing.T) {
	l := lead(t, 100, "a", "b")
	l.read(1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1)
	l.begin()
	l.apply(l.beat(0)...)
	late := l.beat(16 * time.Second)
	if n := expiredOf(late); n != 12 {
		t.Fatalf("%d claims expired, want 12", n)
	}
	l.apply(late...)
	peers := map[string]bool{}
	for _, c := range l.beat(2 * time.Second) {
		if g, ok := c.(*fsm.ClaimGrant); ok {
			peers[g.Peer] = true
		}
	}
	if len(peers) != 2 {
		t.Fatalf("claims go to %d peers while both are suspended, want 2", len(peers))
	}
}

// Nudged runs that come and go while full ones fail do not put the next full one off.
func TestNudgesDoNotPostponeFullRuns(t *testing.T) {
	l := lead(t, 10, "a")
	l.begin()
	d := l.state.Read().Discovery("d")
	run := func(reason, failure string) {
		t.Helper()
		res := l.apply(&fsm.ClaimGrant{
			Kind: fsm.KindRun, Peer: "a", TTL: fsm.Minute, Reason: reason, IDs: []uint64{d.ID}, Names: []string{"x"},
		}).Results[0]
		if res.Error != nil {
			t.Fatal(res.Error)
		}
		l.mono += 10 * time.Millisecond
		l.apply(&fsm.RunComplete{
			Discovery: d.ID, Settings: d.Settings, Token: res.Claim.Token, Outcome: &fsm.RunOutcome{Error: failure},
		})
	}
	run(fsm.WhyDue, "no leader")
	for range 9 {
		l.mono += 100 * time.Millisecond
		run(fsm.WhyNudge, "")
	}
	if ids := grantsOf(l.beat(100 * time.Millisecond)); len(ids) != 1 {
		t.Fatalf("%d full runs are granted a second after one failed, want 1", len(ids))
	}
}
