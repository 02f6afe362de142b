package agent

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/fsm"
)

const (
	// calmFor is how long a leader has led, its raft configuration been as it is, and a voter been heard without a gap, before
	// the leader removes a dead peer because of it.
	calmFor = 30 * time.Second

	leastVoters = 3 // of fewer none is removed: one more that failed would be one too many
)

// calm is since when the raft configuration has been as it is, in a term.
type calm struct {
	servers map[raft.ServerID]raft.ServerSuffrage
	since   time.Time
}

// seen takes the configuration as it is now.
func (c *calm) seen(servers []raft.Server) {
	now := map[raft.ServerID]raft.ServerSuffrage{}
	for _, s := range servers {
		now[s.ID] = s.Suffrage
	}
	if c.servers == nil || !maps.Equal(now, c.servers) {
		c.servers, c.since = now, time.Now()
	}
}

// fate is what becomes of a peer that has failed.
type fate struct {
	at    fsm.Time      // when its time is over; 0 for never
	kept  string        // why it stays then; empty when it may go
	first raft.ServerID // the standby that takes its place first
}

// fateOf says what becomes of a server that has failed by its row. It may go only where a quorum of the voters that are left
// is heard, and of voters only where enough are left.
func (t *term) fateOf(servers []raft.Server, s raft.Server, row *fsm.Peer) (f fate) {
	after := t.agent.machine.Read().Settings().DeadPeers.RemoveAfter
	if after == 0 || row.Failed == 0 {
		return f
	}
	f.at = row.Failed.Add(after)
	voters, steady := 0, 0
	for _, o := range servers {
		if o.Suffrage != raft.Voter {
			continue
		}
		voters++
		if id := string(o.ID); id == t.agent.id || t.hearing.steady(id, calmFor) {
			steady++
		}
	}
	if voters < leastVoters {
		f.kept = fmt.Sprintf("voters are %d: with fewer than %d none is removed by itself", voters, leastVoters)
		return f
	}
	if t.agent.seenAlive(row.ID) {
		f.kept = "gossip sees it alive: the leader does not reach it, others may"
		return f
	}
	left := voters
	if s.Suffrage == raft.Voter {
		left--
	}
	switch {
	case steady <= left/2:
		f.kept = fmt.Sprintf("%d of the %d voters that would be left have been heard for %s: that is no quorum", steady, left, calmFor)
	case s.Suffrage == raft.Voter && left < leastVoters:
		if f.first = t.standby(servers); f.first == "" {
			f.kept = fmt.Sprintf("%d voters would be left, and no standby is there to take its place", left)
		}
	}
	return f
}

// standby is a peer that could vote and keeps up.
func (t *term) standby(servers []raft.Server) raft.ServerID {
	applied := t.agent.machine.Read().Meta().Index
	for _, s := range servers {
		id := string(s.ID)
		w, heard := t.hearing.of(id)
		if s.Suffrage != raft.Voter && heard && !w.Peer.Worker && t.hearing.steady(id, calmFor) && w.Applied+maxBehind >= applied {
			return s.ID
		}
	}
	return ""
}

// bury removes the peer that has been dead the longest, if its time is over and it may go, or has a standby vote before.
// It makes one change of the configuration, and the next only when all has been calm again.
func (t *term) bury(ctx context.Context, c *calm) error {
	a := t.agent
	servers, err := a.configuration()
	if err != nil {
		return err
	}
	if c.seen(servers); time.Since(c.since) < calmFor {
		return nil
	}
	r, now := a.machine.Read(), t.clock.Now()
	dead := slices.SortedFunc(r.Peers(), func(a, b *fsm.Peer) int { return cmp.Compare(a.Failed, b.Failed) })
	for _, row := range dead {
		i := slices.IndexFunc(servers, func(s raft.Server) bool { return string(s.ID) == row.ID })
		if i < 0 || row.Status != fsm.PeerGone {
			continue
		}
		f := t.fateOf(servers, servers[i], row)
		if f.at == 0 || now < f.at || f.kept != "" {
			continue
		}
		if f.first != "" {
			a.log.Info("a standby takes the vote of a dead peer", "standby", f.first, "dead", row.Name)
			return a.raft.AddVoter(f.first, raft.ServerAddress(f.first), 0, configWait).Error()
		}
		a.log.Info("removing a dead peer", "peer", row.Name, "id", row.ID, "failed_at", row.Failed.String())
		if _, err := t.leave(ctx, leaveRequest{ID: row.ID, Reason: "dead"}); err != nil {
			return err
		}
		a.metrics.buried.Add(1)
		return nil
	}
	return nil
}
