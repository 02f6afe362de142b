package agent

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/agent/consensus"
	"github.com/musterhq/muster/fsm"
)

// TestFollowersLearnOfCommitsAtOnce writes entries far apart: the others apply each long before raft would tell them that it
// is committed, also while one of them cannot be reached.
func TestFollowersLearnOfCommitsAtOnce(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		w.pass(10 * time.Second)
		leader := w.leader()
		others := w.others(leader)
		for i := range 20 {
			if i == 10 {
				w.isolate(others[1])
				others = others[:1]
			}
			s := *leader.machine.Read().Settings()
			s.Retention.Events++
			res := leader.apply(&fsm.SettingsSet{Settings: s, Cause: operator})
			w.pass(2 * heraldAfter)
			for _, p := range others {
				if at := p.index(); at < res.Index {
					t.Errorf("entry %d: %s is at %d", res.Index, p.name, at)
				}
			}
			w.pass(time.Second)
		}
		w.heal()
	})
}

// TestNewsIsOfOnesOwnTerm asks for news in another term than that in which the last entry was written.
func TestNewsIsOfOnesOwnTerm(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		w.pass(10 * time.Second)
		leader := w.leader()
		own := leader.term.Load()
		news := own.news()
		if news == nil || news.Term != own.number || news.LeaderCommitIndex != leader.index() || news.PrevLogTerm != own.number {
			t.Fatalf("at entry %d of term %d it tells %+v", leader.index(), own.number, news)
		}
		for _, number := range []uint64{own.number - 1, own.number + 1} {
			if news := (&term{agent: leader.Agent, number: number}).news(); news != nil {
				t.Errorf("in term %d it tells %+v", number, news)
			}
		}
		w.isolate(leader)
		entry := fsm.Entry(fsm.TimeOf(time.Now()), fsm.Frame(&fsm.OperatorAct{Action: "on its way", Cause: operator}))
		leader.raft.Apply(entry, 0)
		synctest.Wait()
		if leader.raft.LastIndex() == leader.index() {
			t.Fatal("the entry is applied: this tests nothing")
		}
		if news := own.news(); news != nil {
			t.Errorf("with an entry on its way it tells %+v", news)
		}
		w.heal()
	})
}

// numb is a transport on which one peer gets no news while it is numb: what is sent waits.
type numb struct {
	*consensus.Transport
	peer         atomic.Pointer[string]
	wakes        chan struct{}
	waiting, all atomic.Int32
}

// AppendEntries is raft.Transport's. Requests without entries that name one before them are news.
func (n *numb) AppendEntries(
	id raft.ServerID, to raft.ServerAddress, args *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse,
) error {
	if peer := n.peer.Load(); peer != nil && string(id) == *peer && len(args.Entries) == 0 && args.PrevLogEntry > 0 {
		n.all.Add(1)
		n.waiting.Add(1)
		<-n.wakes
		n.waiting.Add(-1)
	}
	return n.Transport.AppendEntries(id, to, args, resp)
}

// TestNewsDoesNotPileUp has one peer take no news: one request of the herald's waits for it, and one of raft's own, while the other
// peer learns of every entry at once.
func TestNewsDoesNotPileUp(t *testing.T) {
	wires := map[string]*numb{}
	change := func(c *Config) {
		c.Seams.Raft = func(p *consensus.Parts) {
			n := &numb{Transport: p.Transport.(*consensus.Transport), wakes: make(chan struct{})}
			wires[string(p.Config.LocalID)], p.Transport = n, n
		}
	}
	inBubbleOf(t, 3, change, func(t *testing.T, w *world) {
		w.pass(10 * time.Second)
		leader := w.leader()
		slow, quick := w.others(leader)[0], w.others(leader)[1]
		wire := wires[leader.id]
		wire.peer.Store(&slow.id)
		for range 5 {
			res := leader.apply(settings(leader.machine.Read()))
			w.pass(2 * heraldAfter)
			if at := quick.index(); at < res.Index {
				t.Errorf("entry %d: %s is at %d", res.Index, quick.name, at)
			}
			w.pass(time.Second)
		}
		if n := wire.waiting.Load(); n != 2 || wire.all.Load() != 2 {
			t.Errorf("%d requests wait of %d that were sent", n, wire.all.Load())
		}
		wire.peer.Store(nil)
		close(wire.wakes)
	})
}
