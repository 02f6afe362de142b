package fleet

import (
	"time"

	"github.com/musterhq/muster/fsm"
)

// Verb names what is to be done to nodes.
type Verb string

// The verbs. All but failover act on Action.Node, or on every node of the cluster when that is empty.
const (
	Stop     Verb = "stop"     // close connections and take no more: refused, or reset with the shared listener
	Silent   Verb = "silent"   // accept, never answer
	Garbage  Verb = "garbage"  // answer with what is no document
	Slow     Verb = "slow"     // answer after Delay
	Lie      Verb = "lie"      // say another node's id: NodeID, or the next node's
	SetState Verb = "state"    // say State and Reason
	SetLag   Verb = "lag"      // say LagMS for every shard
	Start    Verb = "start"    // undo all of these
	Remove   Verb = "remove"   // stop and leave the discovery file and Consul
	Add      Verb = "add"      // undo Remove; the node is as after Start
	Failover Verb = "failover" // make the next well replica primary of the shards Node is primary of
)

// maxWait bounds Delay and TwoPrimaries.
const maxWait = 10 * time.Minute

// Action is what is to be done: the body of a POST to the control endpoint, which has the Verb in its path.
type Action struct {
	Cluster string `json:"cluster"`
	Node    string `json:"node,omitempty"` // its id; for failover empty means the primary of shard 0

	Delay        Span   `json:"delay,omitempty"`         // of slow; at most 10 minutes
	NodeID       string `json:"node_id,omitempty"`       // of lie
	State        string `json:"state,omitempty"`         // of state; any word, as a node may
	Reason       string `json:"reason,omitempty"`        // of state; store_unavailable when empty and down
	LagMS        *int64 `json:"lag_ms,omitempty"`        // of lag; none lets it wander again
	TwoPrimaries Span   `json:"two_primaries,omitempty"` // of failover: how long the old one goes on saying primary
}

// Span is a duration that JSON writes as text: "800ms".
type Span time.Duration

// MarshalText implements encoding.TextMarshaler.
func (s Span) MarshalText() ([]byte, error) { return []byte(time.Duration(s).String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Span) UnmarshalText(text []byte) error {
	d, err := time.ParseDuration(string(text))
	*s = Span(d)
	return err
}

func (v Verb) check(a *Action) error {
	switch v {
	case Stop, Silent, Garbage, Lie, Start, Remove, Add:
	case Slow:
		return checkWait("delay", a.Delay, 1)
	case SetState:
		if a.State == "" {
			return fsm.Invalid("state", "is missing; up, down, joining or leaving, or a word muster does not know")
		}
	case SetLag:
		if a.LagMS != nil && *a.LagMS < 0 {
			return fsm.Invalid("lag_ms", "%d is negative", *a.LagMS)
		}
	case Failover:
		return checkWait("two_primaries", a.TwoPrimaries, 0)
	default:
		return fsm.Errorf(fsm.CodeNotFound, "there is no action %q", string(v))
	}
	return nil
}

func checkWait(field string, s, least Span) error {
	if s < least || time.Duration(s) > maxWait {
		return fsm.Invalid(field, "%s is not a time up to %s", time.Duration(s), maxWait)
	}
	return nil
}

// Cluster is how the nodes of one cluster are being played.
type Cluster struct {
	Name  string `json:"name"`
	Nodes []Node `json:"nodes"`
}

// Node is how one node is being played.
type Node struct {
	ID          string            `json:"id"`
	Address     string            `json:"address"`
	Port        int               `json:"port"`
	Listed      bool              `json:"listed"` // in the discovery file and Consul
	Manner      string            `json:"manner"` // answering, refusing, silent, garbage
	State       string            `json:"state"`
	Reason      string            `json:"reason,omitempty"`
	NodeID      string            `json:"node_id"` // what it says its id is
	Delay       Span              `json:"delay,omitempty"`
	LagMS       *int64            `json:"lag_ms,omitempty"` // when set by an action
	Roles       map[string]string `json:"roles"`            // by shard
	Connections int               `json:"connections"`
}

// Counts are the fleet's totals since it began.
type Counts struct {
	Clusters         int     `json:"clusters"`
	Nodes            int     `json:"nodes"`
	Processes        int     `json:"processes"`
	Listen           Listen  `json:"listen"` // each or shared
	Unwell           int64   `json:"unwell"` // nodes that some action has made other than they were
	Connections      int64   `json:"connections"`
	Accepted         int64   `json:"accepted"` // connections, refused ones not counted
	Polls            int64   `json:"polls"`    // answered
	NotModified      int64   `json:"not_modified"`
	NotModifiedShare float64 `json:"not_modified_share"` // of polls, from 0 to 1
}

func (c Counts) withShare() Counts {
	if c.Polls > 0 {
		c.NotModifiedShare = float64(c.NotModified) / float64(c.Polls)
	}
	return c
}
