package agent

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/agent/life"
)

// heraldAfter is how long the next entry is waited for, which would bring the news with it. It lets a follower that is slower
// than the quorum store the entry before it is told that it is committed.
const heraldAfter = 5 * time.Millisecond

// herald tells the other servers that the last entry is committed as soon as it is. With entries far apart raft does so only
// CommitTimeout to twice that later: so long a follower's events would be late, and its reads wait for what the leader has.
func (t *term) herald(ctx context.Context) error {
	under := map[raft.ServerID]*atomic.Bool{} // way, to each server
	for {
		applied := t.agent.machine.Read().Applied()
		if news := t.news(); news != nil {
			t.tell(news, under)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-applied.Changed:
		case <-applied.Abandoned:
		}
		if !life.Pause(ctx, heraldAfter) {
			return nil
		}
	}
}

// news is what raft itself would send: an entry, that it is committed, and who leads in its term. It is nil when the last
// applied entry was not written in this term, which another peer may have led then, and when a later entry is on its way.
func (t *term) news() *raft.AppendEntriesRequest {
	a := t.agent
	last := a.machine.Last()
	if last.Term != t.number || last.Index != a.raft.LastIndex() {
		return nil
	}
	self := a.wire.EncodePeer(raft.ServerID(a.id), a.wire.LocalAddr())
	return &raft.AppendEntriesRequest{
		RPCHeader: raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: []byte(a.id), Addr: self},
		Term:      last.Term, PrevLogEntry: last.Index, PrevLogTerm: last.Term, LeaderCommitIndex: last.Index,
	}
}

// tell sends news to every other server but those that have not answered the last. What fails raft makes good.
func (t *term) tell(news *raft.AppendEntriesRequest, under map[raft.ServerID]*atomic.Bool) {
	a := t.agent
	servers, err := a.configuration()
	if err != nil {
		return
	}
	for _, s := range servers {
		if under[s.ID] == nil {
			under[s.ID] = new(atomic.Bool)
		}
		way := under[s.ID]
		if string(s.ID) == a.id || !way.CompareAndSwap(false, true) {
			continue
		}
		a.heralds.Go(func() {
			defer way.Store(false)
			_ = a.wire.AppendEntries(s.ID, s.Address, news, new(raft.AppendEntriesResponse))
		})
	}
}
