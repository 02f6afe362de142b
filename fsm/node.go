package fsm

import (
	"maps"
	"slices"
	"strings"
)

// Presence says whether a source lists a node.
type Presence string

// The words of Presence; removed nodes are no longer there.
const (
	Present Presence = "present"
	Missing Presence = "missing"
)

// Words of the reach axis; empty before the first poll was judged.
const (
	Reachable      = "reachable"
	NotReachable   = "unreachable"
	StateUp        = "up"
	StateDown      = "down"
	StateJoining   = "joining"
	StateLeaving   = "leaving"
	StateUnknown   = "unknown"
	RolePrimary    = "primary"
	RoleReplica    = "replica"
	RoleRecovering = "recovering"
)

func knownState(s string) bool {
	switch s {
	case StateUp, StateDown, StateJoining, StateLeaving, StateUnknown:
		return true
	}
	return false
}

// Axis is one of a node's two axes: a word with a reason code, free text, and since when.
type Axis struct {
	Value  string `cbor:"1,keyasint,omitempty" json:"value"`
	Reason string `cbor:"2,keyasint,omitempty" json:"reason,omitempty"`
	Detail string `cbor:"3,keyasint,omitempty" json:"detail,omitempty"`
	Since  Time   `cbor:"4,keyasint,omitempty" json:"since,omitzero"`
}

// Node is a row and a part of a View: everything agreed about one node. It is immutable once in the state.
type Node struct {
	Cluster   uint64    `cbor:"1,keyasint,omitempty" json:"-"`
	ID        string    `cbor:"2,keyasint,omitempty" json:"-"`
	Endpoint  Endpoint  `cbor:"3,keyasint"`
	Sources   []string  `cbor:"4,keyasint,omitempty"` // names of the discoveries with a listing of it, sorted
	Presence  Presence  `cbor:"5,keyasint,omitempty"`
	Lifecycle Lifecycle `cbor:"6,keyasint,omitempty"`
	Settings  Settable  `cbor:"7,keyasint,omitempty"`
	Reach     Axis      `cbor:"8,keyasint,omitempty"`
	State     Axis      `cbor:"9,keyasint,omitempty"`
	Said      Said      `cbor:"10,keyasint,omitempty"`
	Muted     []string  `cbor:"11,keyasint,omitempty"` // attributes no longer followed, sorted
	Index     uint64    `cbor:"12,keyasint,omitempty"` // raft index of the last change
}

// Said is what a node said of itself, besides its state.
type Said struct {
	Identity       Identity          `cbor:"1,keyasint,omitempty" json:"identity"`
	Kind           string            `cbor:"2,keyasint,omitempty" json:"kind,omitempty"`
	Version        string            `cbor:"3,keyasint,omitempty" json:"version,omitempty"`
	SidecarVersion string            `cbor:"4,keyasint,omitempty" json:"sidecar_version,omitempty"`
	Attributes     map[string]string `cbor:"5,keyasint,omitempty" json:"attributes,omitempty"`
	Shards         []Shard           `cbor:"6,keyasint,omitempty" json:"shards,omitempty"` // sorted by id
}

func (s *Said) isZero() bool {
	return s.Identity == (Identity{}) && s.Kind == "" && s.Version == "" && s.SidecarVersion == "" &&
		len(s.Attributes)+len(s.Shards) == 0
}

// Identity is who a node says it is: as pinned, and as it says now when that differs.
type Identity struct {
	Node        string `cbor:"1,keyasint,omitempty" json:"node,omitempty"`
	Cluster     string `cbor:"2,keyasint,omitempty" json:"cluster,omitempty"`
	Mismatch    bool   `cbor:"3,keyasint,omitempty" json:"mismatch,omitempty"`
	SaysNode    string `cbor:"4,keyasint,omitempty" json:"says_node,omitempty"`
	SaysCluster string `cbor:"5,keyasint,omitempty" json:"says_cluster,omitempty"`
}

// Shard is a shard as one node holds it. Offset and LagMS are those of the last change; High is set while the lag is past
// lag_limit.
type Shard struct {
	ID     string  `cbor:"1,keyasint" json:"id"`
	Role   string  `cbor:"2,keyasint,omitempty" json:"role"`
	Offset *Offset `cbor:"3,keyasint,omitempty" json:"offset,omitempty"`
	LagMS  *int64  `cbor:"4,keyasint,omitempty" json:"lag_ms,omitempty"`
	High   *High   `cbor:"5,keyasint,omitempty" json:"lag_high,omitempty"`
}

// Offset is a position in a store's log.
type Offset struct {
	Value int64  `cbor:"1,keyasint" json:"value"`
	Unit  string `cbor:"2,keyasint,omitempty" json:"unit,omitempty"`
}

// High is a lag past the limit: how much it was when it crossed, and when.
type High struct {
	LagMS int64 `cbor:"1,keyasint" json:"lag_ms"`
	Since Time  `cbor:"2,keyasint" json:"since"`
}

// Answered says whether the node was ever asked with success.
func (n *Node) Answered() bool { return n.State.Since != 0 }

// Well says whether the node is reachable, up, and who it should be.
func (n *Node) Well() bool {
	return n.Reach.Value == Reachable && n.State.Value == StateUp && !n.Said.Identity.Mismatch
}

// Counted says whether the node counts in its cluster's health: commissioned and present.
func (n *Node) Counted() bool { return n.Lifecycle == Commissioned && n.Presence == Present }

// Polled says whether the node is asked at all.
func (n *Node) Polled() bool { return n.Lifecycle == Commissioned || n.Lifecycle == Maintenance }

// Word says whether an operator said something of this node, so that presence must not remove it.
func (n *Node) Word() bool {
	return !n.Settings.IsZero() || n.Lifecycle == Maintenance || n.Lifecycle == Decommissioned
}

// Labels are the discovery's labels with the operator's over them.
func (n *Node) Labels() map[string]string {
	if len(n.Settings.Labels) == 0 {
		return n.Endpoint.Labels
	}
	out := make(map[string]string, len(n.Endpoint.Labels)+len(n.Settings.Labels))
	maps.Copy(out, n.Endpoint.Labels)
	maps.Copy(out, n.Settings.Labels)
	return out
}

// Shard is the node's shard of that id, or nil.
func (n *Node) Shard(id string) *Shard {
	i, ok := slices.BinarySearchFunc(n.Said.Shards, id, func(s Shard, id string) int { return strings.Compare(s.ID, id) })
	if !ok {
		return nil
	}
	return &n.Said.Shards[i]
}

// sortShards orders by id; of two with one id the first stays.
func sortShards(shards []Shard) []Shard {
	slices.SortStableFunc(shards, func(a, b Shard) int { return strings.Compare(a.ID, b.ID) })
	return slices.CompactFunc(shards, func(a, b Shard) bool { return a.ID == b.ID })
}
