package agent

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/agent/consensus"
	"github.com/musterhq/muster/fsm"
)

// gated is a log store whose writes wait while its gate is shut.
type gated struct {
	raft.LogStore
	gate chan struct{} // full while it is shut
}

// StoreLogs is raft.LogStore's.
func (g *gated) StoreLogs(logs []*raft.Log) error {
	g.gate <- struct{}{}
	<-g.gate
	return g.LogStore.StoreLogs(logs)
}

// A leader whose raft is held up by its disk is asked whether it leads: who asks waits no longer than its context lets it.
// When raft is shut down then, nobody is left waiting for an answer that never comes, and who asks after is told at once.
func TestNobodyWaitsForRaftThatEnds(t *testing.T) {
	stores := map[string]*gated{}
	inBubbleOf(t, 3, func(c *Config) {
		g := &gated{c.Seams.Logs, make(chan struct{}, 1)}
		stores[c.Name], c.Seams.Logs = g, g
	}, func(t *testing.T, w *world) {
		leader := w.leader()
		gate := stores[leader.name].gate
		gate <- struct{}{}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if _, err := leader.Propose(ctx, &fsm.OperatorAct{Action: "note", Cause: operator}); !errors.Is(err, fsm.ErrUnknown) {
			t.Fatalf("a write to a disk that hangs: %v", err)
		}
		if err := leader.asker.Leads(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("asked while raft is held up: %v", err)
		}
		go func() {
			leader.asker.Close()
			leader.raft.Shutdown()
		}()
		synctest.Wait()
		<-gate
		synctest.Wait()
		for range 20 {
			if err := leader.asker.Leads(t.Context()); !errors.Is(err, consensus.ErrNotLeading) {
				t.Fatalf("asked once raft is down: %v", err)
			}
			if err := leader.asker.HandOver(t.Context(), ""); !errors.Is(err, consensus.ErrNotLeading) {
				t.Fatalf("asked to hand over once raft is down: %v", err)
			}
		}
		leader.ended(errRemoved)
		w.leader()
	})
}

// Raft ends by itself in a leader that was removed, while its work goes on to the end of the term and may give leadership up.
func TestNobodyWaitsForRaftThatEndedByItself(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		leader := w.leader()
		leader.raft.Shutdown()
		for range 20 {
			if err := leader.asker.HandOver(t.Context(), ""); !errors.Is(err, consensus.ErrNotLeading) {
				t.Fatalf("asked to hand over once raft is down: %v", err)
			}
		}
		leader.ended(errRemoved)
		w.leader()
	})
}

// Who sends entries ahead of the answers waits for ever for who reads those, once an answer of a later term has ended that one.
func TestEntriesAreNotSentAheadOfAnswers(t *testing.T) {
	inBubble(t, 2, func(t *testing.T, w *world) {
		leader, other := w.leader(), w.follower()
		_, err := leader.transport.AppendEntriesPipeline(raft.ServerID(other.id), raft.ServerAddress(other.id))
		if !errors.Is(err, raft.ErrPipelineReplicationNotSupported) {
			t.Errorf("asked for it: %v", err)
		}
	})
}
