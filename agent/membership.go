package agent

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/agent/gossip"
	"github.com/musterhq/muster/agent/life"
	"github.com/musterhq/muster/agent/peerport"
	"github.com/musterhq/muster/fsm"
)

const (
	reconcileEvery = 500 * time.Millisecond
	failAfter      = 10 * time.Second // unheard for so long a peer has failed, whatever gossip says
	configWait     = 10 * time.Second // for one change of the raft configuration
)

// joinRequest is a peer that wants to be in the group.
type joinRequest struct {
	Peer fsm.Peer `json:"peer"`
}

// join adds a peer as a non-voter: it serves from then on, and is promoted when it has caught up. Names are unique: a name
// in use is refused, unless its peer has failed; then the new one takes its place once it has caught up.
func (t *term) join(ctx context.Context, q joinRequest) (nothing, error) {
	a := t.agent
	if caller, ok := peerport.CallerOf(ctx); !ok || caller.ID != q.Peer.ID {
		return nothing{}, fsm.Errorf(fsm.CodeForbidden, "peer %s asks to be taken in as %s", caller.ID, q.Peer.ID)
	}
	for p := range a.machine.Read().Peers() {
		if p.Name == q.Peer.Name && p.ID != q.Peer.ID && p.Status == fsm.PeerAlive {
			return nothing{}, fsm.Errorf(fsm.CodeConflict,
				"the name %q is taken by peer %s, which is alive: start the new peer with another -name", p.Name, p.ID)
		}
	}
	t.joining.Lock()
	defer t.joining.Unlock()
	if level := a.machine.Read().Meta().Feature; level > q.Peer.Release {
		return nothing{}, fsm.Errorf(fsm.CodeConflict,
			"the group is at feature level %d, which this release does not understand: start the peer with a later one", level)
	}
	servers, err := a.configuration()
	if err != nil {
		return nothing{}, err
	}
	if slices.ContainsFunc(servers, func(s raft.Server) bool { return string(s.ID) == q.Peer.ID }) {
		return nothing{}, nil
	}
	a.log.Info("adding peer", "peer", q.Peer.Name, "id", q.Peer.ID)
	if err := a.raft.AddNonvoter(raft.ServerID(q.Peer.ID), raft.ServerAddress(q.Peer.ID), 0, configWait).Error(); err != nil {
		return nothing{}, fmt.Errorf("add peer: %w", err)
	}
	return nothing{}, nil
}

// leaveRequest is a peer that leaves, or one that is made to.
type leaveRequest struct {
	ID     string `json:"id"`
	Reason string `json:"reason"`
}

// leave takes a peer out of the group for good.
func (t *term) leave(ctx context.Context, q leaveRequest) (nothing, error) {
	a := t.agent
	if q.ID == a.id {
		return nothing{}, fsm.Errorf(fsm.CodeConflict,
			"%s leads: have another one lead first (muster operator raft transfer-leader), or ask it to leave (muster leave)", a.cfg.Name)
	}
	if err := t.spares(ctx, q.ID); err != nil {
		return nothing{}, err
	}
	if err := a.raft.RemoveServer(raft.ServerID(q.ID), 0, configWait).Error(); err != nil {
		return nothing{}, fmt.Errorf("remove peer: %w", err)
	}
	return nothing{}, t.do(ctx, &fsm.PeerRemove{ID: q.ID, Reason: q.Reason})
}

type transferRequest struct {
	ID string `json:"id"` // empty: whoever is furthest
}

// transfer moves leadership; to who leads already it is moved.
func (t *term) transfer(ctx context.Context, q transferRequest) (nothing, error) {
	if q.ID == t.agent.id {
		return nothing{}, nil
	}
	if err := t.mayLead(q.ID); err != nil {
		return nothing{}, err
	}
	if err := t.agent.asker.HandOver(ctx, raft.ServerID(q.ID)); err != nil {
		return nothing{}, fsm.Errorf(fsm.CodeConflict, "leadership was not moved: %s", err)
	}
	return nothing{}, nil
}

// configuration is raft's servers as this peer knows them.
func (a *Agent) configuration() ([]raft.Server, error) {
	future := a.raft.GetConfiguration()
	if err := future.Error(); err != nil {
		return nil, fmt.Errorf("raft configuration: %w", err)
	}
	return slices.Clone(future.Configuration().Servers), nil // raft goes on using its own
}

// reconcile keeps the peers' rows and the raft configuration in step with who is heard, until ctx ends.
func (t *term) reconcile(ctx context.Context) error {
	began := time.Now()
	var homeless map[string]bool
	var calm calm
	for range life.Beats(ctx, reconcileEvery) {
		t.rows(ctx, began)
		t.raise(ctx)
		homeless = t.sweep(ctx, homeless)
		if err := t.voters(ctx); err != nil && ctx.Err() == nil {
			t.agent.log.Warn("the raft configuration was not changed", "error", err)
		}
		if err := t.bury(ctx, &calm); err != nil && ctx.Err() == nil {
			t.agent.log.Warn("a dead peer was not removed", "error", err)
		}
		t.resume(ctx)
	}
	return nil
}

// rows writes the peers' rows that are no longer right.
func (t *term) rows(ctx context.Context, began time.Time) {
	a := t.agent
	r := a.machine.Read()
	servers, err := a.configuration()
	if err != nil {
		return
	}
	for _, s := range servers {
		id := string(s.ID)
		row := r.Peer(id)
		next := t.rowOf(id, row, began)
		if next == nil || row != nil && same(*next, *row) {
			continue
		}
		set := &fsm.PeerSet{Peer: *next}
		if next.Status == fsm.PeerGone {
			set.Reason = a.absence(id)
		}
		if err := t.do(ctx, set); err != nil && ctx.Err() == nil {
			a.log.Warn("peer's row was not written", "peer", next.Name, "error", err)
		}
	}
}

// sweep takes away the rows of peers that are not in the group: who removed one may have lost leadership before its row
// went. It does so at the second look, since a removal that is under way brings its own reason.
func (t *term) sweep(ctx context.Context, before map[string]bool) (homeless map[string]bool) {
	a := t.agent
	r := a.machine.Read()
	servers, err := a.configuration()
	if err != nil {
		return nil
	}
	homeless = map[string]bool{}
	for p := range r.Peers() {
		if slices.ContainsFunc(servers, func(s raft.Server) bool { return string(s.ID) == p.ID }) {
			continue
		}
		homeless[p.ID] = true
		if !before[p.ID] {
			continue
		}
		if err := t.do(ctx, &fsm.PeerRemove{ID: p.ID, Reason: "removed"}); err != nil && ctx.Err() == nil {
			a.log.Warn("peer's row was not removed", "peer", p.Name, "error", err)
		}
	}
	return homeless
}

func same(a, b fsm.Peer) bool {
	b.Index = a.Index
	return string(fsm.Frame(&fsm.PeerSet{Peer: a})) == string(fsm.Frame(&fsm.PeerSet{Peer: b}))
}

// rowOf is a peer's row as it should be; nil while nothing is known of it.
func (t *term) rowOf(id string, row *fsm.Peer, began time.Time) *fsm.Peer {
	a := t.agent
	if id == a.id {
		next := a.row()
		if row != nil {
			next.Doubted = row.Doubted
		}
		return &next
	}
	if w, ok := t.hearing.of(id); ok {
		next := w.Peer
		next.Status = fsm.PeerAlive
		if row != nil {
			next.Doubted = row.Doubted
		}
		return &next
	}
	if row == nil || time.Since(began) < heardFor {
		return row
	}
	if row.Status == fsm.PeerGone {
		return t.since(row)
	}
	if time.Since(t.hearing.last(id, began)) < failAfter && !a.departed(id) {
		return row
	}
	next := *row
	next.Status = fsm.PeerGone
	return t.since(&next)
}

// since is the row of a failed peer that says since when, where peers of all releases in the group can read that.
func (t *term) since(row *fsm.Peer) *fsm.Peer {
	if row.Failed != 0 || t.agent.machine.Read().Meta().Feature < 2 {
		return row
	}
	next := *row
	next.Failed = t.clock.Now()
	return &next
}

// absence says why a peer is not heard: it stopped on purpose and said so, or it is silent.
func (a *Agent) absence(id string) string {
	for _, m := range a.gossip.Members() {
		if m.ID == id && m.Status == gossip.Stopped {
			return "stopped"
		}
	}
	return "silent"
}

// seenAlive says whether gossip holds a peer for alive.
func (a *Agent) seenAlive(id string) bool {
	return slices.ContainsFunc(a.gossip.Members(), func(m gossip.Member) bool { return m.ID == id && m.Status == gossip.Alive })
}

// departed says whether gossip holds a peer for failed, stopped or left.
func (a *Agent) departed(id string) bool {
	for _, m := range a.gossip.Members() {
		if m.ID == id {
			return m.Status != gossip.Alive
		}
	}
	return false
}
