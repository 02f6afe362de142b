package agent

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/musterhq/muster/fsm"
)

// TestSnapshotThatIsTooLarge says in the head of a snapshot that a terabyte follows. The follower writes nothing down and hears its
// leader all the while, whatever becomes of that connection.
func TestSnapshotThatIsTooLarge(t *testing.T) {
	withPost(t, func(t *testing.T, w *world, p *post) {
		follower := w.behind()
		leader, kept, term := w.leader(), follower.snapshotsKept(), follower.raft.CurrentTerm()
		p.head.Size, p.head.LastLogIndex = 1<<40, follower.index()+1000
		sent := make(chan error)
		go func() {
			_, err := p.again()
			sent <- err
		}()
		w.until("it to be refused", func() bool { return follower.snapshotsRefused() == 1 })
		leader.note(5)
		w.level(follower)
		select {
		case <-sent:
			t.Error("the connection is closed already: this tests nothing")
		default:
		}
		if err := <-sent; err == nil {
			t.Error("the snapshot was taken up")
		}
		if now := follower.snapshotsKept(); now != kept || follower.raft.CurrentTerm() != term || w.leader() != leader {
			t.Errorf("it keeps the snapshots %s, not %s, in term %d", now, kept, follower.raft.CurrentTerm())
		}
		if said := follower.said.with("snapshot is not taken up", "-max-snapshot-mib"); len(said) != 1 {
			t.Errorf("it says: %q", said)
		}
	})
}

// TestStateThatIsTooLarge has a state outgrow what peers take up: whoever looks after them is told, and a backup as large is refused.
func TestStateThatIsTooLarge(t *testing.T) {
	inBubbleOf(t, 3, func(c *Config) { c.Seams.Snapshots = nil }, func(t *testing.T, w *world) {
		w.settled(4, 2, nil)
		p := w.leader()
		archive, before := p.backedUp(), p.machine.Read().Meta().Epoch()
		p.snapshot()
		size := p.snapshotBytes()
		if warned := (lifeFace{p.Agent}).Warnings(); len(warned) > 0 || size == 0 {
			t.Errorf("a snapshot of %d bytes: %q", size, warned)
		}
		for _, o := range w.running() {
			o.cfg.MaxSnapshot = size / 2
		}
		if warned := strings.Join((lifeFace{p.Agent}).Warnings(), "\n"); !strings.Contains(warned, "raise -max-snapshot-mib") {
			t.Errorf("it warns: %q", warned)
		}
		if _, err := p.tryRestore(bytes.NewReader(archive)); !errors.Is(err, &fsm.Error{Code: fsm.CodeTooLarge}) {
			t.Errorf("restore: %v", err)
		}
		if after := w.leader().machine.Read().Meta().Epoch(); after != before {
			t.Errorf("the state was replaced: epoch %s, not %s", after, before)
		}
	})
}
