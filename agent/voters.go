package agent

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/fsm"
)

// voters promotes those that have caught up while fewer vote than should, lets them take the place of a failed peer of their
// name, and sends home those that are too many. It makes one change at a time.
func (t *term) voters(ctx context.Context) error {
	a := t.agent
	r := a.machine.Read()
	servers, err := a.configuration()
	if err != nil {
		return err
	}
	voting := 0
	for _, s := range servers {
		if s.Suffrage == raft.Voter {
			voting++
		}
	}
	want := r.Settings().Voters
	for _, s := range servers {
		id := string(s.ID)
		w, heard := t.hearing.of(id)
		if s.Suffrage == raft.Voter || !heard || w.Applied+maxBehind < r.Meta().Index {
			continue
		}
		if old := namesake(r, servers, w.Peer); old != nil {
			a.log.Info("peer takes the place of a failed one", "peer", old.Name, "id", id, "failed", old.ID)
			_, err := t.leave(ctx, leaveRequest{ID: old.ID, Reason: "replaced"})
			return err
		}
		if w.Peer.Worker || voting >= want {
			continue
		}
		a.log.Info("promoting peer to voter", "peer", w.Peer.Name, "id", id)
		return a.raft.AddVoter(s.ID, s.Address, 0, configWait).Error()
	}
	if voting > want {
		return t.demote(servers)
	}
	return nil
}

// namesake is the failed peer of the same name that a joiner replaces, or nil.
func namesake(r *fsm.Reader, servers []raft.Server, joiner fsm.Peer) *fsm.Peer {
	for p := range r.Peers() {
		if p.Name == joiner.Name && p.ID != joiner.ID && p.Status == fsm.PeerGone &&
			slices.ContainsFunc(servers, func(s raft.Server) bool { return string(s.ID) == p.ID }) {
			return p
		}
	}
	return nil
}

// demote makes a voter, but the leader, a standby: one that is not heard before any other, since those that are heard must
// stay a quorum; else the one with the highest id.
func (t *term) demote(servers []raft.Server) error {
	silent := func(s raft.Server) int {
		if _, heard := t.hearing.of(string(s.ID)); heard {
			return 1
		}
		return 0
	}
	slices.SortFunc(servers, func(a, b raft.Server) int {
		return cmp.Or(silent(a)-silent(b), strings.Compare(string(b.ID), string(a.ID)))
	})
	for _, s := range servers {
		if s.Suffrage == raft.Voter && string(s.ID) != t.agent.id {
			return t.agent.raft.DemoteVoter(s.ID, 0, configWait).Error()
		}
	}
	return nil
}
