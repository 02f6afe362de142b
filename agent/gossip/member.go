package gossip

import (
	"maps"
	"time"
)

// Status is how a member is seen from here.
type Status string

// A suspected member is still alive; it becomes failed when the suspicion is
// not refuted in time.
const (
	Alive   Status = "alive"
	Failed  Status = "failed"
	Stopped Status = "stopped"
	Left    Status = "left"
)

// Intent is what a member has said it is about to do.
type Intent string

// A stopping peer stays a member of its raft group, a leaving one does not.
const (
	Staying  Intent = ""
	Stopping Intent = "stopping"
	Leaving  Intent = "leaving"
)

// Member is one peer as gossip knows it. The value and its Labels are a copy;
// they belong to the caller.
type Member struct {
	ID      string // ULID, the memberlist node name
	Name    string // for people; at most 64 printable bytes
	Group   string // ULID of the raft group, "" before there is one
	Version string // of the program

	PeerAddr   string // host:port of the peer port
	HTTPAddr   string // host:port of the HTTP face
	GossipAddr string // ip:port as memberlist advertises it; read-only

	Worker bool // replicates and refreshes, never votes
	Expect int  // bootstrap-expect, 0 for none
	ACL    bool // has whoever asks its API show a token
	HasLog bool // has a raft log: bootstrapped or taken into a group
	Intent Intent
	Labels map[string]string

	Status Status    // read-only
	Since  time.Time // when Status was first seen here; read-only
}

func (m Member) clone() Member {
	m.Labels = maps.Clone(m.Labels)
	return m
}

// departed gives the status of a member that memberlist reports as gone.
func departed(i Intent) Status {
	switch i {
	case Stopping:
		return Stopped
	case Leaving:
		return Left
	default:
		return Failed
	}
}
