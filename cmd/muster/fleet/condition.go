package fleet

import (
	"time"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

// manner is how a node treats who connects.
type manner string

const (
	answering manner = "answering"
	refusing  manner = "refusing"
	silent    manner = "silent"
	garbage   manner = "garbage"
)

// condition is what actions have made of a node. Conditions are compared with born to count who is unwell.
type condition struct {
	manner  manner
	delay   time.Duration
	says    string // its id, when it lies
	state   string
	reason  string
	lagged  bool
	lagMS   int64 // when lagged
	removed bool
}

var born = condition{manner: answering, state: fsm.StateUp}

// well says whether a node may become primary.
func (c *condition) well() bool {
	return c.manner == answering && c.state == fsm.StateUp && c.says == ""
}

// answer is what a node's connections read, without a lock; it is replaced, never changed.
type answer struct {
	condition
	etag    string
	primary []bool // by shard
	follows bool   // holds some shard as a replica
}

// worstLag is the lag to say now, if there is one to say. salt sets a node apart from its neighbours.
func (a *answer) worstLag(now time.Time, salt int) (ms int64, ok bool) {
	if a.lagged {
		return a.lagMS, true
	}
	return 1 + (now.Unix()+int64(salt)*7)%40, a.follows
}

// document is what the node says in full. Offsets grow by 16 a millisecond of the wall clock, so that a fleet that was
// started again goes on from where it was, and replicas are behind by as much as their lag says.
func (s *share) document(n *node, a *answer, now time.Time) refresh.Document {
	const perMS = 16
	lag, _ := a.worstLag(now, n.index)
	d := refresh.Document{
		NodeID: s.id(n), ClusterID: s.clusterName(n.cluster.index),
		Kind: s.Store, Version: s.Version,
		State: a.state, Reason: a.reason,
		Shards:     make([]refresh.DocumentShard, len(a.primary)),
		Attributes: refresh.Attributes{"zone": s.zone(n.index)},
	}
	if a.says != "" {
		d.NodeID = a.says
	}
	for k, primary := range a.primary {
		shard := &d.Shards[k]
		*shard = refresh.DocumentShard{ID: shardID(k), Role: fsm.RoleReplica}
		behind := lag
		if primary {
			shard.Role, behind = fsm.RolePrimary, 0
		}
		shard.Offset = &refresh.DocumentOffset{Value: (now.UnixMilli() - behind) * perMS, Unit: "bytes"}
		if !primary || a.lagged {
			shard.LagMS = &lag
		}
	}
	return d
}
