package entries_test

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

	"github.com/musterhq/muster/agent/consensus"
	"github.com/musterhq/muster/agent/entries"
	"github.com/musterhq/muster/agent/replica"
	"github.com/musterhq/muster/fsm"
)

// operator is the cause of what tests do as an operator would.
var operator = fsm.Cause{Kind: fsm.CauseOperator, Accessor: "test"}

// peer is a raft group of one.
type peer struct {
	t    *testing.T
	raft *raft.Raft
	logs *raft.InmemStore
}

// inBatches runs a test in a bubble with a batch over a raft group of one, whose log it can read.
func inBatches(t *testing.T, test func(t *testing.T, b *entries.Batch, p *peer)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := &peer{t: t, logs: raft.NewInmemStore()}
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
		p.raft = r
		b := entries.New(r, m, entries.NewClock(time.Now, 0), func() bool { return true })
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- b.Run(ctx) }()
		test(t, b, p)
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		b.Settle()
	})
}

func act(action string) *entries.Proposal {
	return entries.NewProposal(fsm.Frame(&fsm.OperatorAct{Action: action, Cause: operator}), 1)
}

// actions are the acts in the log, entry by entry.
func (p *peer) actions() (out [][]string) {
	last, err := p.logs.LastIndex()
	if err != nil {
		p.t.Fatal(err)
	}
	for i := uint64(1); i <= last; i++ {
		var l raft.Log
		if err := p.logs.GetLog(i, &l); err != nil {
			p.t.Fatal(err)
		}
		if l.Type != raft.LogCommand {
			continue
		}
		_, commands, err := fsm.DecodeEntry(l.Data)
		if err != nil {
			p.t.Fatal(err)
		}
		var acts []string
		for _, c := range commands {
			acts = append(acts, c.(*fsm.OperatorAct).Action)
		}
		out = append(out, acts)
	}
	return out
}

// TestHurriedShareAnEntry adds proposals in a row: they go within a few milliseconds, in order, in one entry, and each has
// its own result.
func TestHurriedShareAnEntry(t *testing.T) {
	inBatches(t, func(t *testing.T, b *entries.Batch, p *peer) {
		began := time.Now()
		var all []*entries.Proposal
		for i := range 200 {
			proposal := act(fmt.Sprint(i))
			if i == 100 { // one of several commands
				proposal = entries.NewProposal(append(act("100").Frames(), act("100, too").Frames()...), 2)
			}
			b.Add(proposal, false)
			all = append(all, proposal)
		}
		for i, proposal := range all {
			<-proposal.Done()
			if proposal.Err != nil || len(proposal.Results) != proposal.Count() || proposal.Results[0].Err() != nil {
				t.Fatalf("proposal %d: %+v, %v", i, proposal.Results, proposal.Err)
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
	inBatches(t, func(t *testing.T, b *entries.Batch, p *peer) {
		late, soon := act("late"), act("soon")
		b.Add(late, true)
		b.Add(soon, false)
		<-soon.Done()
		<-time.After(time.Second)
		select {
		case <-late.Done():
			t.Fatal("it did not wait for the beat")
		default:
		}
		b.Beat([]fsm.Command{&fsm.OperatorAct{Action: "own", Cause: operator}})
		<-late.Done()
		if got := fmt.Sprint(p.actions()); got != "[[soon] [late own]]" {
			t.Errorf("the log is %s", got)
		}
		b.Beat(nil)
		<-time.After(time.Second)
		if got := len(p.actions()); got != 2 {
			t.Errorf("an empty beat made an entry: %d", got)
		}
	})
}

// TestEntriesAreBounded adds more than an entry holds: it takes several, none too large, all in order; one that is larger
// than that by itself goes alone.
func TestEntriesAreBounded(t *testing.T) {
	inBatches(t, func(t *testing.T, b *entries.Batch, p *peer) {
		var all []*entries.Proposal
		for i := range 60 {
			size := 30 << 10
			if i == 30 {
				size = fsm.MaxEntry + 1
			}
			proposal := act(fmt.Sprintf("%02d%s", i, strings.Repeat("x", size)))
			b.Add(proposal, false)
			all = append(all, proposal)
		}
		for _, proposal := range all {
			if <-proposal.Done(); proposal.Err != nil {
				t.Fatal(proposal.Err)
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
			if size > fsm.MaxEntry && len(e) > 1 {
				t.Errorf("an entry of %d commands has %d bytes", len(e), size)
			}
		}
		if next != 60 || len(entries) > 7 {
			t.Errorf("%d acts in %d entries", next, len(entries))
		}
	})
}

// TestClosedBatcherRefuses ends a batch with proposals waiting: all of them, and all that come, surely were not applied.
func TestClosedBatcherRefuses(t *testing.T) {
	inBatches(t, func(t *testing.T, b *entries.Batch, p *peer) {
		waiting := []*entries.Proposal{act("unhurried")}
		b.Add(waiting[0], true)
		b.Close()
		waiting = append(waiting, act("later"), act("unhurried, later"))
		b.Add(waiting[1], false)
		b.Add(waiting[2], true)
		for _, proposal := range waiting {
			if <-proposal.Done(); !errors.Is(proposal.Err, consensus.ErrNotLeading) {
				t.Errorf("refused with: %v", proposal.Err)
			}
		}
		if got := p.actions(); len(got) > 0 {
			t.Errorf("in the log is %v", got)
		}
	})
}

// TestFullBatcherRefuses adds more than may wait: the rest is refused with an error that says so, the others go.
func TestFullBatcherRefuses(t *testing.T) {
	inBatches(t, func(t *testing.T, b *entries.Batch, p *peer) {
		frames := act("x").Frames()
		var all []*entries.Proposal
		for range entries.MaxProposals + 5 {
			all = append(all, entries.NewProposal(frames, 1))
			b.Add(all[len(all)-1], true)
		}
		b.Beat(nil)
		refused := 0
		for _, proposal := range all {
			if <-proposal.Done(); proposal.Err != nil {
				refused++
				if !errors.Is(proposal.Err, entries.ErrFull) {
					t.Fatalf("refused with: %v", proposal.Err)
				}
			}
		}
		if refused != 5 {
			t.Errorf("%d of %d were refused, at most %d may wait", refused, len(all), entries.MaxProposals)
		}
	})
}

// TestLostEntriesAreToldApart shuts raft down under waiting proposals: each has an error, and none waits for ever.
func TestLostEntriesAreToldApart(t *testing.T) {
	inBatches(t, func(t *testing.T, b *entries.Batch, p *peer) {
		first := act("committed")
		b.Add(first, false)
		<-first.Done()
		if err := p.raft.Shutdown().Error(); err != nil {
			t.Fatal(err)
		}
		lost := act("lost")
		b.Add(lost, false)
		if <-lost.Done(); lost.Err == nil || errors.Is(lost.Err, consensus.ErrNotLeading) {
			t.Errorf("a proposal to raft that was shut down ended with: %v", lost.Err)
		}
	})
}
