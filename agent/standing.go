package agent

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/agent/life"
	"github.com/musterhq/muster/fsm"
)

// spares says whether the group can do without a server: a voter may go only where a quorum of those that are left is heard, or
// nobody could lead, nor undo it. A term that has just begun is given time to hear from all.
func (t *term) spares(ctx context.Context, id string) error {
	for {
		servers, err := t.agent.configuration()
		if err != nil {
			return err
		}
		if err = t.quorumWithout(servers, id); err == nil || time.Since(t.began) >= heardFor || !life.Pause(ctx, hearAgain) {
			return err
		}
	}
}

func (t *term) quorumWithout(servers []raft.Server, id string) error {
	left, heard, votes := 0, 0, false
	var silent []string
	for _, s := range servers {
		other := string(s.ID)
		switch _, lately := t.hearing.of(other); {
		case s.Suffrage != raft.Voter:
		case other == id:
			votes = true
		case lately || other == t.agent.id:
			left, heard = left+1, heard+1
		default:
			left++
			silent = append(silent, t.agent.nameOf(other))
		}
	}
	if !votes || heard > left/2 {
		return nil
	}
	return fsm.Errorf(fsm.CodeConflict, "without %s %d would be left to vote, of whom %d are heard: the group could not go on. Bring %s back, "+
		"or let what has failed go first: muster force-leave NAME", t.agent.nameOf(id), left, heard, strings.Join(silent, ", "))
}

// nameOf is a peer's name, or its id where there is no row of it.
func (a *Agent) nameOf(id string) string {
	if p := a.machine.Read().Peer(id); p != nil {
		return p.Name
	}
	return id
}

// mayLead says whether leadership may go to a server, or to any when the id is empty.
func (t *term) mayLead(id string) error {
	a := t.agent
	servers, err := a.configuration()
	if err != nil {
		return err
	}
	others := slices.DeleteFunc(slices.Clone(servers), func(s raft.Server) bool { return s.Suffrage != raft.Voter || string(s.ID) == a.id })
	at := slices.IndexFunc(servers, func(s raft.Server) bool { return string(s.ID) == id })
	_, heard := t.hearing.of(id)
	switch {
	case len(others) == 0:
		return fsm.Errorf(fsm.CodeConflict, "%s is the only voter: there is nobody who could lead instead", a.cfg.Name)
	case id == "":
		return nil
	case at < 0:
		return fsm.Errorf(fsm.CodeNotFound, "there is no server %q in the raft configuration", id)
	case servers[at].Suffrage != raft.Voter:
		return fsm.Errorf(fsm.CodeConflict, "%s does not vote, and only a voter may lead: muster operator raft list-peers shows them", a.nameOf(id))
	case !heard:
		return fsm.Errorf(fsm.CodeConflict, "%s is not heard by %s, which leads: it could not take over", a.nameOf(id), a.cfg.Name)
	}
	return nil
}
