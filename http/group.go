package httpd

import (
	"net/http"
	"slices"

	"github.com/musterhq/muster/fsm"
)

func (s *Server) statusLeader(w http.ResponseWriter, r *http.Request) error {
	return s.reply(w, r, http.StatusOK, s.Raft.Leader())
}

func (s *Server) statusPeers(w http.ResponseWriter, r *http.Request) error {
	return s.reply(w, r, http.StatusOK, told(s.Raft.Peers()))
}

func (s *Server) showSelf(w http.ResponseWriter, r *http.Request) error {
	return s.reply(w, r, http.StatusOK, s.Members.Self())
}

func (s *Server) listMembers(w http.ResponseWriter, r *http.Request) error {
	return s.reply(w, r, http.StatusOK, told(s.Members.Members()))
}

// join and reload touch this peer alone and must do without a leader; its log tells them, not the group's.
func (s *Server) join(w http.ResponseWriter, r *http.Request) error {
	address := r.PathValue("address")
	if err := s.Members.Join(r.Context(), address); err != nil {
		return err
	}
	s.log.Info("joining asked", "address", address, "client", clientAddress(r))
	return s.reply(w, r, http.StatusOK, struct{}{})
}

func (s *Server) reload(w http.ResponseWriter, r *http.Request) error {
	s.log.Info("reload asked", "client", clientAddress(r))
	done, err := s.Life.Reload(r.Context())
	if err != nil {
		return err
	}
	done.Files, done.Applied, done.Restart = told(done.Files), told(done.Applied), told(done.Restart)
	return s.reply(w, r, http.StatusOK, done)
}

func (s *Server) leave(w http.ResponseWriter, r *http.Request) error {
	if err := s.record(r, "leave", s.Members.Self().Member.Name); err != nil {
		return err
	}
	if err := s.Life.Leave(r.Context()); err != nil {
		return err
	}
	return s.reply(w, r, http.StatusOK, struct{}{})
}

func (s *Server) forceLeave(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("name")
	g, err := s.look(r.Context())
	if err != nil {
		return err
	}
	// By the rows: gossip forgets who is away for long.
	if !slices.ContainsFunc(slices.Collect(g.Peers()), func(p *fsm.Peer) bool { return p.Name == name }) {
		return fsm.Errorf(fsm.CodeNotFound, "there is no peer %q; muster operator raft list-peers shows them", name)
	}
	if err := s.record(r, "force_leave", name); err != nil {
		return err
	}
	if err := s.Members.ForceLeave(r.Context(), name); err != nil {
		return err
	}
	return s.reply(w, r, http.StatusOK, struct{}{})
}

func (s *Server) showRaft(w http.ResponseWriter, r *http.Request) error {
	rd, err := parseReading(r.URL.Query())
	if err != nil {
		return err
	}
	var c RaftConfiguration
	if rd.level == Stale {
		c, err = s.Raft.Known()
	} else {
		c, err = s.Raft.Configuration(r.Context())
	}
	if err != nil {
		return err
	}
	c.Servers = told(c.Servers)
	return s.reply(w, r, http.StatusOK, c)
}

func (s *Server) removePeer(w http.ResponseWriter, r *http.Request) error {
	id := r.URL.Query().Get("id")
	if id == "" {
		return fsm.Invalid("id", "is missing; say which peer, as /v1/operator/raft/configuration names it")
	}
	name, err := s.serverName(r, id)
	if err != nil {
		return err
	}
	if err := s.record(r, "remove_peer", name); err != nil {
		return err
	}
	if err := s.Raft.RemovePeer(r.Context(), id); err != nil {
		return err
	}
	return s.reply(w, r, http.StatusOK, struct{}{})
}

func (s *Server) transferLeader(w http.ResponseWriter, r *http.Request) error {
	id, name := r.URL.Query().Get("id"), ""
	if id != "" {
		var err error
		if name, err = s.serverName(r, id); err != nil {
			return err
		}
	}
	if err := s.record(r, "transfer_leader", name); err != nil {
		return err
	}
	if err := s.Raft.TransferLeader(r.Context(), id); err != nil {
		return err
	}
	return s.reply(w, r, http.StatusOK, struct{}{})
}

// serverName is the name of a server of the raft group.
func (s *Server) serverName(r *http.Request, id string) (string, error) {
	c, err := s.Raft.Configuration(r.Context())
	if err != nil {
		return "", err
	}
	for _, server := range c.Servers {
		if server.ID == id {
			return server.Name, nil
		}
	}
	return "", fsm.Errorf(fsm.CodeNotFound, "there is no peer with the id %q", id)
}

// record appends the event of an act that changes no row. It comes before the act: afterwards there may be no leader to
// take it, or no peer to send it.
func (s *Server) record(r *http.Request, action, subject string) error {
	_, err := s.propose(r.Context(), &fsm.OperatorAct{Action: action, Subject: subject, Cause: causeOf(r)})
	return err
}
