package agent

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/agent/consensus"
	"github.com/musterhq/muster/fsm"
)

// post keeps the first snapshot that any peer of a group sends, to send it again.
type post struct {
	mu    sync.Mutex
	from  *consensus.Transport
	to    raft.ServerID
	head  raft.InstallSnapshotRequest
	state []byte
	sent  atomic.Int32
	spoil atomic.Int32 // how many come damaged from now on
	first atomic.Value // raft.ServerID of who gets no entries before it has got a snapshot
}

// posted is a peer's raft transport.
type posted struct {
	*consensus.Transport
	post *post
}

// InstallSnapshot is raft.Transport's.
func (p *posted) InstallSnapshot(
	id raft.ServerID, to raft.ServerAddress,
	args *raft.InstallSnapshotRequest, resp *raft.InstallSnapshotResponse, data io.Reader,
) error {
	all, err := io.ReadAll(data)
	if err != nil {
		return err
	}
	if p.post.spoil.Add(-1) >= 0 {
		all[len(all)/2] ^= 1
	}
	if p.post.sent.Add(1) > 100 {
		<-time.After(time.Second) // time would stand still
	}
	p.post.mu.Lock()
	if p.post.from == nil {
		p.post.from, p.post.to, p.post.head, p.post.state = p.Transport, id, *args, all
	}
	p.post.mu.Unlock()
	err = p.Transport.InstallSnapshot(id, to, args, resp, bytes.NewReader(all))
	if err == nil && resp.Success {
		p.post.first.Store(raft.ServerID(""))
	}
	return err
}

// AppendEntries is raft.Transport's.
func (p *posted) AppendEntries(
	id raft.ServerID, to raft.ServerAddress, args *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse,
) error {
	if p.post.first.Load() == id && len(args.Entries) > 0 {
		return errors.New("a snapshot comes first")
	}
	return p.Transport.AppendEntries(id, to, args, resp)
}

// again sends it again.
func (p *post) again() (raft.InstallSnapshotResponse, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var resp raft.InstallSnapshotResponse
	head := p.head
	err := p.from.InstallSnapshot(p.to, raft.ServerAddress(p.to), &head, &resp, bytes.NewReader(p.state))
	return resp, err
}

// withPost is a group of three whose snapshots are taken when a test says so, and on files.
func withPost(t *testing.T, test func(t *testing.T, w *world, p *post)) {
	t.Helper()
	p := &post{}
	inBubbleOf(t, 3, func(c *Config) {
		c.Seams.Logs, c.Seams.Stable, c.Seams.Snapshots = nil, nil, nil
		c.Seams.Raft = func(parts *consensus.Parts) {
			parts.Config.TrailingLogs, parts.Config.SnapshotThreshold, parts.Config.SnapshotInterval = 5, 1<<20, time.Hour
			parts.Transport = &posted{parts.Transport.(*consensus.Transport), p}
		}
	}, func(t *testing.T, w *world) { test(t, w, p) })
}

// behind has a follower miss entries, and so get a snapshot. It returns the follower.
func (w *world) behind() *peer {
	leader, follower := w.leader(), w.follower()
	w.isolate(follower)
	leader.note(20)
	leader.snapshot()
	leader.note(5)
	w.heal()
	w.level(follower)
	return follower
}

// note has a leader write so many entries.
func (p *peer) note(n int) {
	p.w.t.Helper()
	for range n {
		p.grow(1)
	}
}

// TestDamagedOnItsWay has a snapshot come damaged to a follower, twice. It tells so, keeps nothing of it, and takes it up when it comes
// as it was sent.
func TestDamagedOnItsWay(t *testing.T) {
	withPost(t, func(t *testing.T, w *world, p *post) {
		p.spoil.Store(2)
		follower := w.behind()
		if said := follower.said.with("came damaged"); len(said) != 2 {
			t.Errorf("it said: %q", said)
		}
		if kept := follower.snapshotsKept(); strings.Contains(kept, ",") || p.sent.Load() != 3 {
			t.Errorf("of %d that were sent, it keeps %s", p.sent.Load(), kept)
		}
	})
}

// level waits until a follower has applied all that the leader has.
func (w *world) level(follower *peer) {
	w.t.Helper()
	w.until("the follower to be level", func() bool { return follower.index() >= w.leader().index() })
}

// TestLateSnapshotChangesNothing sends a follower once more the snapshot that it was sent long ago: in the term of the leader
// that sent it, and when it has become that of the past. The follower has gone on, and of the entries in between its log holds
// none, or all. Its state does not go back, and nothing of what came is kept.
func TestLateSnapshotChangesNothing(t *testing.T) {
	for _, test := range []struct {
		name    string
		trimmed bool
	}{{"log trimmed", true}, {"log whole", false}} {
		withPost(t, func(t *testing.T, w *world, p *post) {
			follower := w.behind()
			w.leader().note(20)
			w.level(follower)
			if test.trimmed {
				follower.snapshot()
			}
			before, kept := follower.index(), follower.snapshotsKept()
			if _, err := p.again(); err == nil || !strings.Contains(err.Error(), "came too late") {
				t.Errorf("%s: the follower answers: %v", test.name, err)
			}
			if after := follower.index(); after < before {
				t.Errorf("%s: the state went back from entry %d to %d", test.name, before, after)
			}
			if now := follower.snapshotsKept(); now != kept {
				t.Errorf("%s: it keeps the snapshots %s, not %s", test.name, now, kept)
			}
			w.leader().note(1)
			w.level(follower)

			old := w.leader()
			if err := old.raft.LeadershipTransferToServer(raft.ServerID(follower.id), raft.ServerAddress(follower.id)).Error(); err != nil {
				t.Fatal(err)
			}
			w.until("another leader", func() bool { return w.leader() == follower })
			before = follower.index()
			if resp, err := p.again(); err != nil || resp.Success || resp.Term <= p.head.Term {
				t.Errorf("%s: in a later term the answer is %+v, %v", test.name, resp, err)
			}
			if after := follower.index(); after < before || w.leader() != follower {
				t.Errorf("%s: in a later term the state went back from entry %d to %d", test.name, before, after)
			}
		})
	}
}

// TestOwnSnapshotIsNeverLate writes a peer's own state while the peer goes on.
func TestOwnSnapshotIsNeverLate(t *testing.T) {
	withPost(t, func(t *testing.T, w *world, _ *post) {
		p := w.leader()
		pinned, err := p.machine.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		at := p.machine.Last()
		p.note(5)
		servers := p.raft.GetConfiguration().Configuration()
		sink, err := p.snapshots.Create(raft.SnapshotVersionMax, at.Index, at.Term, servers, 1, p.transport)
		if err != nil {
			t.Fatal(err)
		}
		if err := pinned.Persist(sink); err != nil {
			t.Error(err)
		}
	})
}

// TestSnapshotIsTakenUpAgain sends a follower the same snapshot twice, as a leader does that has no answer.
func TestSnapshotIsTakenUpAgain(t *testing.T) {
	withPost(t, func(t *testing.T, w *world, p *post) {
		leader, follower := w.leader(), w.follower()
		w.isolate(follower)
		leader.note(20)
		leader.snapshot()
		w.heal()
		w.level(follower)
		if follower.raft.AppliedIndex() != p.head.LastLogIndex {
			t.Fatalf("the follower is at entry %d, the snapshot at %d", follower.raft.AppliedIndex(), p.head.LastLogIndex)
		}
		w.pass(time.Millisecond) // snapshots of one entry have names of their own by when they were begun
		if resp, err := p.again(); err != nil || !resp.Success {
			t.Errorf("the answer is %+v, %v", resp, err)
		}
		leader.note(1)
		w.level(follower)
	})
}

// TestSnapshotAmongEntriesThatNeverWere sends a snapshot to who led alone for a moment: its log goes on beyond the snapshot with
// entries that the group never agreed on. They go, and it takes the entries that follow; the snapshot is sent once.
func TestSnapshotAmongEntriesThatNeverWere(t *testing.T) {
	withPost(t, func(t *testing.T, w *world, p *post) {
		old := w.leader()
		before := old.index()
		p.first.Store(raft.ServerID(old.id))
		w.isolate(old)
		for range 60 {
			old.raft.Apply(fsm.Entry(0, fsm.Frame(&fsm.OperatorAct{Action: "never", Cause: operator})), 0)
		}
		synctest.Wait() // all of them are in its log
		last := old.raft.LastIndex()
		leader := w.leaderOf(w.others(old))
		leader.note(20)
		leader.snapshot()
		leader.note(3)
		if last < before+60 || leader.raft.LastIndex() >= last {
			t.Fatalf("from entry %d, %s has %d and %s %d", before, old.name, last, leader.name, leader.raft.LastIndex())
		}
		w.heal()
		w.until("it to be level", func() bool { return old.index() >= leader.index() })
		if n := p.sent.Load(); n != 1 {
			t.Errorf("the snapshot was sent %d times", n)
		}
		leader.note(1)
		w.until("it to be level", func() bool { return old.index() >= leader.index() })
	})
}

// snapshotsKept are the names of the snapshots of a peer.
func (p *peer) snapshotsKept() string {
	p.w.t.Helper()
	all, err := p.snapshots.List()
	if err != nil {
		p.w.t.Fatal(err)
	}
	var names []string
	for _, m := range all {
		names = append(names, m.ID)
	}
	return strings.Join(names, ", ")
}
