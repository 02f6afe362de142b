package refresh_test

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/musterhq/muster/fsm"
)

// runsOf are the grants of runs by peer.
func runsOf(commands []fsm.Command) map[string]int {
	out := map[string]int{}
	for _, c := range commands {
		if g, ok := c.(*fsm.ClaimGrant); ok && g.Kind == fsm.KindRun {
			out[g.Peer] += len(g.IDs)
		}
	}
	return out
}

// Four runs of one peer are open at once, in one beat or in several: a source that hangs holds up no more of it. Another
// peer has four of its own, and each run that closes makes room for one.
func TestRunsOfOnePeerAreBounded(t *testing.T) {
	l := lead(t, 100, "a", "b")
	spec := fsm.DefaultSpec()
	spec.Backend, spec.Interval = "file", fsm.Hour
	for i := range 10 {
		l.apply(&fsm.DiscoveryApply{Name: fmt.Sprintf("d%d", i), Spec: spec})
	}
	l.begin()
	first := l.beat(quarter)
	if got := runsOf(first); got["a"] != 4 || got["b"] != 4 {
		t.Fatalf("of eleven runs, a and b get %v", got)
	}
	l.apply(first...)
	if got := runsOf(l.beat(quarter)); len(got) > 0 {
		t.Fatalf("four are open for each, and they get %v", got)
	}
	for c := range l.state.Read().ClaimsOf("b") {
		d := l.state.Read().DiscoveryByID(c.Subject.ID)
		l.apply(&fsm.RunComplete{Discovery: d.ID, Settings: d.Settings, Token: c.Token, Outcome: &fsm.RunOutcome{}})
		break
	}
	if got := runsOf(l.beat(quarter)); got["a"] != 0 || got["b"] != 1 {
		t.Errorf("one of b's is closed, and they get %v", got)
	}
}

// In a young term a peer may be the only ready one because no other was heard yet: what fails for it alone is then not
// confirmed by itself. Later it is.
func TestNobodyIsAloneInAYoungTerm(t *testing.T) {
	l := lead(t, 100, "a", "b")
	l.read(1, 1, 1, 1)
	l.begin()
	l.ready = l.ready[:1]
	young, old := 0, 0
	for l.mono < 2*time.Minute {
		commands := l.beat(quarter)
		for _, c := range commands {
			g, ok := c.(*fsm.ClaimGrant)
			if !ok || g.Kind != fsm.KindRefresh {
				continue
			}
			if want := l.mono >= 2*time.Second; g.Alone != want {
				t.Fatalf("%s into the term a claim says that its peer is alone: %t", l.mono, g.Alone)
			} else if want {
				old++
			} else {
				young++
			}
		}
		l.apply(commands...)
		l.finishRuns()
		for _, id := range refreshesOf(commands) {
			l.complete(id)
		}
	}
	if young == 0 || old == 0 {
		t.Errorf("%d claims in a young term and %d later: this tests nothing", young, old)
	}
}

// The claims of a peer whose row was taken away go as those of one that has failed do, also where the leader never saw it.
func TestClaimsOfRemovedPeerExpire(t *testing.T) {
	l := lead(t, 100, "a", "b")
	held := shared(l, 20)
	l.ready = l.ready[:1]
	l.apply(&fsm.PeerRemove{ID: "b", Reason: "removed"})
	l.sched.Peers(l.state.Read(), l.now())
	if got := expiriesOf(l.beat(quarter), "b"); got["peer_gone"] != held {
		t.Errorf("%d claims were held, and %v expire", held, got)
	}
}

// What is refused although its base has not moved would be refused for ever: the refresh fails with the reason instead, and
// changes nothing.
func TestWorkerFailsWhatIsRefusedAtItsOwnBase(t *testing.T) {
	atWork(t, &prober{report: wellReport}, []int{2}, func(t *testing.T, b *bench, ids []uint64) {
		b.answer = func(c fsm.Command) (fsm.Result, error) {
			if done, ok := c.(*fsm.RefreshComplete); ok && len(done.Facts) > 0 {
				return fsm.Result{Error: fsm.Errorf(fsm.CodeStale, "it does not fit").With("index", strconv.FormatUint(done.Base, 10))}, nil
			}
			return b.apply(c).Results[0], nil
		}
		claim := b.grant(ids...)[0]
		sent := b.settle(time.Second)
		if len(sent) != 2 || len(b.waited) > 0 {
			t.Fatalf("%d commands after waiting for %v, want what is refused and the failure", len(sent), b.waited)
		}
		if done, ok := sent[1].(*fsm.RefreshComplete); !ok || len(done.Facts) > 0 || done.Error == "" {
			t.Errorf("then it sends %+v", sent[1])
		}
		if b.state.Read().Claim(claim.Subject) != nil {
			t.Error("the claim is still open")
		}
	})
}
