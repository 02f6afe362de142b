package agent

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/agent/replica"
	"github.com/musterhq/muster/fsm"
)

// inBatches runs a test in a bubble with a batcher over a raft group of one, whose log it can read.
func inBatches(t *testing.T, test func(t *testing.T, b *batcher, p *peer)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := &peer{w: &world{t: t}, name: "p", logs: raft.NewInmemStore()}
		m := replica.New("p", func(err error) { t.Error(err) })
		addr, transport := raft.NewInmemTransport("p")
		conf := raft.DefaultConfig()
		conf.LocalID, conf.Logger = "p", hclog.NewNullLogger()
		r, err := raft.NewRaft(conf, m, p.logs, p.logs, raft.NewInmemSnapshotStore(), transport)
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := r.Shutdown().Error(); err != nil {
				t.Error(err)
			}
			_ = transport.Close()
		}()
		if err := r.BootstrapCluster(raft.Configuration{Servers: []raft.Server{{ID: "p", Address: addr}}}).Error(); err != nil {
			t.Fatal(err)
		}
		for !<-r.LeaderCh() {
			continue
		}
		p.Agent = &Agent{raft: r, machine: m}
		b := newBatcher(r, m, newClock(time.Now, 0), func() bool { return true })
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- b.run(ctx) }()
		test(t, b, p)
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		b.settle()
	})
}

func act(action string) *proposal {
	return newProposal(fsm.Frame(&fsm.OperatorAct{Action: action, Cause: operator}), 1)
}

// actions are the acts in the log, entry by entry.
func (p *peer) actions() (out [][]string) {
	for _, e := range p.logged(0) {
		var acts []string
		for _, c := range e.commands {
			acts = append(acts, c.(*fsm.OperatorAct).Action)
		}
		out = append(out, acts)
	}
	return out
}

// TestHurriedShareAnEntry adds proposals in a row: they go within a few milliseconds, in order, in one entry, and each has
// its own result.
func TestHurriedShareAnEntry(t *testing.T) {
	inBatches(t, func(t *testing.T, b *batcher, p *peer) {
		began := time.Now()
		var all []*proposal
		for i := range 200 {
			proposal := act(fmt.Sprint(i))
			if i == 100 { // one of several commands
				proposal = newProposal(append(act("100").frames, act("100, too").frames...), 2)
			}
			b.add(proposal, false)
			all = append(all, proposal)
		}
		for i, proposal := range all {
			<-proposal.done
			if proposal.err != nil || len(proposal.results) != proposal.count || proposal.results[0].Err() != nil {
				t.Fatalf("proposal %d: %+v, %v", i, proposal.results, proposal.err)
			}
		}
		if took := time.Since(began); took > 10*time.Millisecond {
			t.Errorf("they took %s", took)
		}
		got := p.actions()
		if len(got) != 1 || len(got[0]) != 201 {
			t.Fatalf("%d entries", len(got))
		}
		for i, a := range got[0] {
			if want := fmt.Sprint(min(i, max(100, i-1))); !strings.HasPrefix(a, want) {
				t.Fatalf("act %d is %q", i, a)
			}
		}
	})
}

// TestUnhurriedWaitForTheBeat adds both kinds: what is not hurried stays until the beat and goes with its commands.
func TestUnhurriedWaitForTheBeat(t *testing.T) {
	inBatches(t, func(t *testing.T, b *batcher, p *peer) {
		late, soon := act("late"), act("soon")
		b.add(late, true)
		b.add(soon, false)
		<-soon.done
		<-time.After(time.Second)
		select {
		case <-late.done:
			t.Fatal("it did not wait for the beat")
		default:
		}
		b.beat([]fsm.Command{&fsm.OperatorAct{Action: "own", Cause: operator}})
		<-late.done
		if got := fmt.Sprint(p.actions()); got != "[[soon] [late own]]" {
			t.Errorf("the log is %s", got)
		}
		b.beat(nil)
		<-time.After(time.Second)
		if got := len(p.actions()); got != 2 {
			t.Errorf("an empty beat made an entry: %d", got)
		}
	})
}

// TestEntriesAreBounded adds more than an entry holds: it takes several, none too large, all in order; one that is larger
// than that by itself goes alone.
func TestEntriesAreBounded(t *testing.T) {
	inBatches(t, func(t *testing.T, b *batcher, p *peer) {
		var all []*proposal
		for i := range 60 {
			size := 30 << 10
			if i == 30 {
				size = maxEntry + 1
			}
			proposal := act(fmt.Sprintf("%02d%s", i, strings.Repeat("x", size)))
			b.add(proposal, false)
			all = append(all, proposal)
		}
		for _, proposal := range all {
			if <-proposal.done; proposal.err != nil {
				t.Fatal(proposal.err)
			}
		}
		entries, next := p.actions(), 0
		for _, e := range entries {
			size := 0
			for _, a := range e {
				if !strings.HasPrefix(a, fmt.Sprintf("%02d", next)) {
					t.Fatalf("act %d is %q", next, a[:2])
				}
				next++
				size += len(a)
			}
			if size > maxEntry && len(e) > 1 {
				t.Errorf("an entry of %d commands has %d bytes", len(e), size)
			}
		}
		if next != 60 || len(entries) > 7 {
			t.Errorf("%d acts in %d entries", next, len(entries))
		}
	})
}

// TestClosedBatcherRefuses ends a batcher with proposals waiting: all of them, and all that come, surely were not applied.
func TestClosedBatcherRefuses(t *testing.T) {
	inBatches(t, func(t *testing.T, b *batcher, p *peer) {
		waiting := []*proposal{act("unhurried")}
		b.add(waiting[0], true)
		b.close()
		waiting = append(waiting, act("later"), act("unhurried, later"))
		b.add(waiting[1], false)
		b.add(waiting[2], true)
		for _, proposal := range waiting {
			if <-proposal.done; classify(proposal.err) != notApplied {
				t.Errorf("refused with: %v", proposal.err)
			}
		}
		if got := p.actions(); len(got) > 0 {
			t.Errorf("in the log is %v", got)
		}
	})
}

// TestFullBatcherRefuses adds more than may wait: the rest is refused with an error that says so, the others go.
func TestFullBatcherRefuses(t *testing.T) {
	inBatches(t, func(t *testing.T, b *batcher, p *peer) {
		frames := act("x").frames
		var all []*proposal
		for range maxProposals + 5 {
			all = append(all, newProposal(frames, 1))
			b.add(all[len(all)-1], true)
		}
		b.beat(nil)
		refused := 0
		for _, proposal := range all {
			if <-proposal.done; proposal.err != nil {
				refused++
				if err := apiError(proposal.err); !errors.Is(err, fsm.ErrUnavailable) {
					t.Fatalf("refused with: %v", err)
				}
			}
		}
		if refused != 5 {
			t.Errorf("%d of %d were refused, at most %d may wait", refused, len(all), maxProposals)
		}
	})
}

// TestLostEntriesAreToldApart shuts raft down under waiting proposals: each has an error, and none waits for ever.
func TestLostEntriesAreToldApart(t *testing.T) {
	inBatches(t, func(t *testing.T, b *batcher, p *peer) {
		first := act("committed")
		b.add(first, false)
		<-first.done
		if err := p.raft.Shutdown().Error(); err != nil {
			t.Fatal(err)
		}
		lost := act("lost")
		b.add(lost, false)
		if <-lost.done; lost.err == nil || classify(lost.err) != unknown {
			t.Errorf("a proposal to raft that was shut down ended with: %v", lost.err)
		}
	})
}
