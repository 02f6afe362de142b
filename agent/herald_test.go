package agent

import (
	"testing"
	"time"

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
	})
}
