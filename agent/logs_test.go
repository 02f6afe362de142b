package agent

import (
	"errors"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/agent/consensus"
)

// deaf is a peer's raft transport that counts the snapshots it sends, and after the first one loses the answer to the first
// entries that follow.
type deaf struct {
	*consensus.Transport
	*deafness
}

// deafness is what befell the transports of a group.
type deafness struct {
	sent atomic.Int32
	to   atomic.Value // raft.ServerID of who was sent a snapshot
	lost atomic.Bool
}

// InstallSnapshot is raft.Transport's.
func (d *deaf) InstallSnapshot(
	id raft.ServerID, to raft.ServerAddress,
	args *raft.InstallSnapshotRequest, resp *raft.InstallSnapshotResponse, data io.Reader,
) error {
	if d.sent.Add(1) > 10 {
		<-time.After(time.Second) // time would stand still
	}
	defer d.to.Store(id)
	return d.Transport.InstallSnapshot(id, to, args, resp, data)
}

// AppendEntries is raft.Transport's.
func (d *deaf) AppendEntries(
	id raft.ServerID, to raft.ServerAddress, args *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse,
) error {
	err := d.Transport.AppendEntries(id, to, args, resp)
	if err == nil && resp.Success && len(args.Entries) > 0 && d.to.Load() == id && d.lost.CompareAndSwap(false, true) {
		return errors.New("lost on the way")
	}
	return err
}

// A follower that was sent a snapshot goes on from it, also when the answer to the first entries after it is lost: the
// snapshot is sent once. Of its log from before nothing is left.
func TestSnapshotIsSentOnce(t *testing.T) {
	var befell deafness
	inBubbleOf(t, 3, func(c *Config) {
		c.Seams.Raft = func(p *consensus.Parts) {
			p.Config.TrailingLogs, p.Config.SnapshotThreshold, p.Config.SnapshotInterval = 10, 1<<20, time.Hour
			p.Transport = &deaf{p.Transport.(*consensus.Transport), &befell}
		}
	}, func(t *testing.T, w *world) {
		leader, follower := w.leader(), w.follower()
		w.isolate(follower)
		leader.note(50)
		if err := leader.raft.Snapshot().Error(); err != nil {
			t.Fatal(err)
		}
		snapshot := leader.index()
		leader.note(5)
		w.heal()
		w.until("an answer to be lost", befell.lost.Load)
		leader.note(5)
		w.pass(5 * time.Second)
		if follower.index() < leader.index()-1 {
			t.Errorf("the follower is at entry %d of %d", follower.index(), leader.index())
		}
		if n := befell.sent.Load(); n != 1 {
			t.Errorf("the snapshot was sent %d times", n)
		}
		if first, err := follower.logs.FirstIndex(); err != nil || first != snapshot+1 {
			t.Errorf("the log begins at entry %d, behind the snapshot at %d, %v", first, snapshot, err)
		}
	})
}
