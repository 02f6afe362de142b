package agent

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/fsm"
)

// valve is between raft's signals of leadership and who takes them: while hold is set only the last of them is kept, as raft
// does when nobody takes them.
type valve struct {
	hold   atomic.Bool
	merged atomic.Int64 // signals of leadership lost and regained that came as one
}

// into puts the valve into a peer that does not run yet.
func (v *valve) into(a *Agent) {
	in, out := a.leads, make(chan bool, 1)
	a.leads = out
	go func() {
		last := false
		for {
			var leads bool
			select {
			case leads = <-in:
			case <-a.ending.Done():
				return
			}
			for v.hold.Load() {
				select {
				case leads = <-in:
				case <-a.ending.Done():
					return
				case <-time.After(tickEvery):
				}
			}
			if last && leads {
				v.merged.Add(1)
			}
			select {
			case out <- leads:
				last = leads
			case <-a.ending.Done():
				return
			}
		}
	}()
}

// TestMergedSignals has a leader lose leadership and regain it before it takes raft's signals, and only the last is left.
// Until then it neither writes nor serves reads in the term it has not opened; then it opens it.
func TestMergedSignals(t *testing.T) {
	f := newReferee()
	inEmptyBubble(t, func(t *testing.T, w *world) {
		valves := map[*peer]*valve{}
		for _, name := range []string{"peer-a", "peer-b", "peer-c"} {
			p := w.add(name)
			valves[p] = &valve{}
			p.change, p.made = watched(f), valves[p].into
		}
		for _, p := range w.peers {
			p.start(func(c *Config) { c.BootstrapExpect = 3 })
		}
		w.settled(5, 2, nil)
		old := w.leader()
		term, before := old.raft.CurrentTerm(), old.seq()
		valves[old].hold.Store(true)
		w.isolate(old)
		next := w.leaderOf(w.others(old))
		next.apply(&fsm.OperatorAct{Action: "meanwhile", Cause: operator})
		w.heal()
		w.until("leadership to go back", func() bool {
			if old.raft.State() == raft.Leader && old.raft.CurrentTerm() > term {
				return true
			}
			_ = next.raft.LeadershipTransferToServer(raft.ServerID(old.id), raft.ServerAddress(old.id)).Error()
			return false
		})
		if _, err := old.term.Load().index(t.Context(), nothing{}); err == nil {
			t.Error("a term that was not opened serves reads")
		}
		w.pass(2 * time.Second)
		valves[old].hold.Store(false)
		w.until("the term opened", func() bool { l := old.term.Load(); return l != nil && l.number == old.raft.CurrentTerm() })
		if valves[old].merged.Load() != 1 {
			t.Errorf("%d signals were merged", valves[old].merged.Load())
		}
		old.apply(&fsm.OperatorAct{Action: "goes on", Cause: operator})
		old.tells(before, "leader.*", fsm.LeaderChanged, fsm.LeaderChanged)
		w.agree()
	})
	f.report(t)
}
