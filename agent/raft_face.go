package agent

import (
	"context"
	"slices"

	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

// Leader is the address of the leader's peer port.
func (f raftFace) Leader() string {
	addr, _ := f.resolve(f.leaders.ID())
	return addr
}

// Peers are the addresses of all servers.
func (f raftFace) Peers() []string {
	servers, err := f.configuration()
	if err != nil {
		return nil
	}
	out := make([]string, 0, len(servers))
	for _, s := range servers {
		if addr, ok := f.resolve(string(s.ID)); ok {
			out = append(out, addr)
		}
	}
	slices.Sort(out)
	return out
}

// Configuration is raft's as the leader has it.
func (f raftFace) Configuration(ctx context.Context) (httpd.RaftConfiguration, error) {
	return callRaft.call(ctx, f.Agent, nothing{})
}

// servers is raft's configuration with what the leader knows of each server.
func (t *term) servers(ctx context.Context, _ nothing) (httpd.RaftConfiguration, error) {
	a := t.agent
	if err := t.leads(ctx); err != nil {
		return httpd.RaftConfiguration{}, err
	}
	servers, err := a.configuration()
	if err != nil {
		return httpd.RaftConfiguration{}, err
	}
	r := a.machine.Read()
	// Raft does not tell the index of its configuration: the future's is always 0.
	out := httpd.RaftConfiguration{Index: r.Meta().Index, Servers: []httpd.RaftServer{}}
	for _, s := range servers {
		id := string(s.ID)
		row := httpd.RaftServer{ID: id, Voter: s.Suffrage == raft.Voter, Leader: id == a.id, State: "follower"}
		row.Address, _ = a.resolve(id)
		if p := r.Peer(id); p != nil {
			row.Name = p.Name
			if p.Status == fsm.PeerGone {
				f := t.fateOf(servers, s, p)
				row.FailedAt, row.RemoveAt, row.KeptBecause = p.Failed, f.at, f.kept
			}
		}
		w, heard := t.hearing.of(id)
		switch {
		case id == a.id:
			row.State, row.Version, row.AppliedIndex = "leader", a.cfg.Version, r.Meta().Index
		case !heard:
			row.State = "unheard"
		default:
			row.Version, row.AppliedIndex = w.Version, w.Applied
		}
		out.Servers = append(out.Servers, row)
	}
	return out, nil
}

// RemovePeer takes a server out of the group.
func (f raftFace) RemovePeer(ctx context.Context, id string) error {
	conf, err := f.Configuration(ctx)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(conf.Servers, func(s httpd.RaftServer) bool { return s.ID == id }) {
		return fsm.Errorf(fsm.CodeNotFound, "there is no server %q in the raft configuration", id)
	}
	_, err = callLeave.call(ctx, f.Agent, leaveRequest{ID: id, Reason: "removed"})
	return err
}

// TransferLeader moves leadership.
func (f raftFace) TransferLeader(ctx context.Context, id string) error {
	_, err := callTransfer.call(ctx, f.Agent, transferRequest{ID: id})
	return err
}
