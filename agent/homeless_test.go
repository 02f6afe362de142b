package agent

import (
	"strings"
	"testing"

	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/fsm"
)

// TestRowsOfRemovedPeersGo loses the leader between a peer's removal and that of its row: the next leader finds the row and
// takes it away, or the peer's name would be taken for ever.
func TestRowsOfRemovedPeersGo(t *testing.T) {
	inBubble(t, 4, func(t *testing.T, w *world) {
		leader, gone := w.leader(), w.follower()
		gone.crash()
		if err := leader.raft.RemoveServer(raft.ServerID(gone.id), 0, configWait).Error(); err != nil {
			t.Fatal(err)
		}
		leader.end()
		r := w.leader().await("its row to go", func(r *fsm.Reader) bool { return r.Peer(gone.id) == nil })
		left := 0
		for e := range r.Events(0) {
			if p, ok := e.Before.(*fsm.PeerPart); ok && e.Type == fsm.PeerLeft && p.ID == gone.id {
				left++
			}
		}
		if left != 1 {
			t.Errorf("%d events say that the peer left, want 1", left)
		}
	})
}

// TestPeerWithoutItsLogIsRefused takes the log of a member away: it must not vote again under its id.
func TestPeerWithoutItsLogIsRefused(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		p := w.follower()
		p.end()
		p.logs, p.snaps = raft.NewInmemStore(), raft.NewInmemSnapshotStore()
		if err := p.tryStart(nil); err == nil || !strings.Contains(err.Error(), "its log is gone") {
			t.Fatalf("a member without its log starts with: %v", err)
		}
	})
}

func TestDevWorkerIsRefused(t *testing.T) {
	inEmptyBubble(t, func(t *testing.T, w *world) {
		err := w.add("peer-a").tryStart(func(c *Config) { c.Dev, c.DataDir, c.Worker, c.Join = true, "", true, nil })
		if err == nil || !strings.Contains(err.Error(), "leave -worker out") {
			t.Fatalf("-dev -worker starts with: %v", err)
		}
	})
}
