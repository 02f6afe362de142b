package agent

import (
	"testing"

	"github.com/musterhq/muster/agent/consensus"
	"github.com/musterhq/muster/fsm"
)

// grow appends entries of about so many bytes together to the log.
func (p *peer) grow(bytes int) {
	p.w.t.Helper()
	const each = 500
	var batch []byte
	for range each {
		batch = append(batch, fsm.Frame(&fsm.OperatorAct{Action: "note", Cause: fsm.Cause{Kind: fsm.CauseGroup}})...)
	}
	for had := p.machine.LogBytes(); p.machine.LogBytes() < had+int64(bytes); {
		if _, err := p.term.Load().propose(p.w.t.Context(), batch, each, false); err != nil {
			p.w.t.Fatal(err)
		}
	}
}

// TestStopKeepsWork has a peer that stops take a snapshot when much was applied since the last one, and not for little.
func TestStopKeepsWork(t *testing.T) {
	inEmptyBubble(t, func(t *testing.T, w *world) {
		p := w.add("peer-a")
		start := func() { p.start(func(c *Config) { c.BootstrapExpect = 1 }) }
		snapshots := func() int {
			all, err := p.snaps.List()
			if err != nil {
				t.Fatal(err)
			}
			return len(all)
		}
		start()
		w.leader().grow(snapshotAtEnd / 2)
		p.end()
		if n := snapshots(); n != 0 {
			t.Fatalf("%d snapshots after little was applied", n)
		}

		start()
		w.leader().grow(snapshotAtEnd / 2)
		had := p.machine.Read().Meta()
		p.end()
		if n := snapshots(); n != 1 {
			t.Fatalf("%d snapshots after much was applied", n)
		}

		start()
		w.leader()
		if n := p.machine.Entries(); n > 10 {
			t.Errorf("%d entries were applied again", n)
		}
		if now := p.machine.Read().Meta(); now.Seq < had.Seq || now.Index < had.Index {
			t.Errorf("the state went back from event %d to %d", had.Seq, now.Seq)
		}
	})
}

// TestJoinBySnapshot has a peer that enters an old group begin with its snapshot, and not with its first entry.
func TestJoinBySnapshot(t *testing.T) {
	inEmptyBubble(t, func(t *testing.T, w *world) {
		old := w.add("peer-a")
		old.start(func(c *Config) { c.BootstrapExpect = 1 })
		term := w.leader().term.Load()
		frame := fsm.Frame(&fsm.OperatorAct{Action: "note", Cause: fsm.Cause{Kind: fsm.CauseGroup}})
		for range consensus.TrailingEntries + 500 {
			if _, err := term.propose(t.Context(), frame, 1, false); err != nil {
				t.Fatal(err)
			}
		}
		if err := old.raft.Snapshot().Error(); err != nil {
			t.Fatal(err)
		}
		next := w.add("peer-b")
		next.start(nil)
		next.await("its own row", rows(2))
		if n := next.machine.Entries(); n > 100 {
			t.Errorf("it applied %d entries of %d", n, old.machine.Entries())
		}
		w.agree()
	})
}
