package agent

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/agent/gossip"
	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

// The faces are this peer as package httpd sees it; each implements one of its interfaces.
type (
	replicaFace struct{ *Agent }
	membersFace struct{ *Agent }
	raftFace    struct{ *Agent }
	lifeFace    struct{ *Agent }
)

// Read serves a read at the wanted level. A state in which no group was born yet is not read at all: a peer that starts
// again holds nothing until a leader says how far its log counts, and that is not to be taken for a group without clusters
// and events.
func (f replicaFace) Read(ctx context.Context, level httpd.Level) (*fsm.Reader, httpd.Contact, error) {
	if level == httpd.Stale {
		r := f.machine.Read()
		if r.Meta().Epoch() == "" {
			return nil, f.contact(), fsm.Errorf(fsm.CodeUnavailable, "this peer has started and holds nothing yet; try again, or ask another one")
		}
		return r, f.contact(), nil
	}
	r, err := f.fresh(ctx)
	return r, f.contact(), err
}

// Now is logical time as this peer can tell it.
func (f replicaFace) Now() fsm.Time {
	if t := f.term.Load(); t != nil {
		return t.clock.Now()
	}
	return max(fsm.TimeOf(f.cfg.Seams.Now()), f.machine.Read().Meta().Time)
}

func (a *Agent) contact() httpd.Contact {
	id := a.leaders.ID()
	c := httpd.Contact{Known: id != "", Leader: raftFace{a}.Leader()}
	if id != a.id {
		if last := a.raft.LastContact(); !last.IsZero() {
			c.Last = time.Since(last)
		}
	}
	return c
}

// Self is what this peer says of itself.
func (f membersFace) Self() httpd.Self {
	meta := f.machine.Read().Meta()
	self := httpd.Self{
		Group: f.cfg.Group, GroupID: meta.Group, Epoch: meta.Epoch(), State: strings.ToLower(f.raft.State().String()),
		Term: f.raft.CurrentTerm(), LastIndex: f.raft.LastIndex(), CommitIndex: f.raft.CommitIndex(),
		AppliedIndex: meta.Index, FeatureLevel: meta.Feature, Started: fsm.TimeOf(f.started), Stats: f.raft.Stats(),
		Disk: f.disk(),
	}
	if k := f.live.Load().backups; k != nil {
		status := k.Status()
		status.Leads = f.term.Load() != nil
		self.Backups = &status
	}
	if f.registration != nil {
		status := f.registration.Status()
		self.Consul = &status
	}
	for _, m := range f.Members() {
		if m.ID == f.id {
			self.Member = m
		}
		if m.ID == f.leaders.ID() {
			self.Leader = m.Name
		}
	}
	return self
}

// Members are all peers this one knows of, by name.
func (f membersFace) Members() []httpd.Member {
	suffrage := map[string]raft.ServerSuffrage{}
	if servers, err := f.configuration(); err == nil {
		for _, s := range servers {
			suffrage[string(s.ID)] = s.Suffrage
		}
	}
	var out []httpd.Member
	for _, m := range f.gossip.Members() {
		row := httpd.Member{
			ID: m.ID, Name: m.Name, Address: m.PeerAddr, HTTPAddress: m.HTTPAddr, GossipAddress: m.GossipAddr,
			Status: string(m.Status), Version: m.Version, Labels: m.Labels, ACL: m.ACL, Since: fsm.TimeOf(m.Since),
		}
		if s, ok := suffrage[m.ID]; ok {
			row.Raft = strings.ToLower(s.String())
			row.Role = role(m, s, m.ID == f.leaders.ID())
		}
		out = append(out, row)
	}
	slices.SortFunc(out, func(a, b httpd.Member) int { return strings.Compare(a.Name+a.ID, b.Name+b.ID) })
	return out
}

func role(m gossip.Member, s raft.ServerSuffrage, leads bool) string {
	switch {
	case leads:
		return "leader"
	case s == raft.Voter:
		return "voter"
	case m.Worker:
		return "worker"
	}
	return "standby"
}

// Join meets the group through one of its members.
func (f membersFace) Join(ctx context.Context, address string) error {
	if err := CheckJoin(address); err != nil {
		return fsm.Invalid("address", "%s", err)
	}
	if n, err := f.gossip.Join(ctx, []string{address}); n == 0 && err != nil {
		return fsm.Errorf(fsm.CodeUnavailable, "join %s: %s", address, err)
	}
	return nil
}

// ForceLeave declares a failed member gone for good. Where one of its name is alive, too, that one stays.
func (f membersFace) ForceLeave(ctx context.Context, name string) error {
	alive := false
	for p := range f.machine.Read().Peers() {
		switch {
		case p.Name != name:
		case p.Status == fsm.PeerAlive:
			alive = true
		default:
			return raftFace(f).RemovePeer(ctx, p.ID)
		}
	}
	if alive {
		return fsm.Errorf(fsm.CodeConflict, "peer %q is alive: let it leave by itself with muster leave", name)
	}
	return fsm.Errorf(fsm.CodeNotFound, "there is no peer %q", name)
}
