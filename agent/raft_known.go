package agent

import (
	"strings"

	"github.com/hashicorp/raft"

	httpd "github.com/musterhq/muster/http"
)

// Known is raft's configuration as this peer has it, with what gossip says of the others: it is what there is to look at where
// nobody leads. How far others are only the leader hears.
func (f raftFace) Known() (httpd.RaftConfiguration, error) {
	servers, err := f.configuration()
	if err != nil {
		return httpd.RaftConfiguration{}, err
	}
	members := map[string]httpd.Member{}
	for _, m := range membersFace(f).Members() {
		members[m.ID] = m
	}
	out := httpd.RaftConfiguration{Index: f.machine.Read().Meta().Index, Servers: []httpd.RaftServer{}}
	for _, s := range servers {
		id := string(s.ID)
		m := members[id]
		row := httpd.RaftServer{
			ID: id, Name: f.nameOf(id), Voter: s.Suffrage == raft.Voter, Leader: id == f.leaders.ID(), Version: m.Version, State: "follower",
		}
		row.Address, _ = f.resolve(id)
		switch {
		case id == f.id:
			row.State, row.AppliedIndex = strings.ToLower(f.raft.State().String()), out.Index
		case row.Leader:
			row.State = "leader"
		case m.Status != "alive":
			row.State = "unheard"
		}
		out.Servers = append(out.Servers, row)
	}
	return out, nil
}
