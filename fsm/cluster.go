package fsm

import (
	"maps"
	"slices"
	"strings"
)

// Health of a cluster.
const (
	HealthUnknown  = "unknown"
	HealthHealthy  = "healthy"
	HealthDegraded = "degraded"
	HealthDown     = "down"
)

// Cluster is a row and a part of a View: what is agreed about a cluster beside its nodes. It is immutable once in the
// state. Index is the cluster's version: the raft index of the last entry that changed the cluster, one of its nodes, or
// whether a source lists one of them.
type Cluster struct {
	ID        uint64       `cbor:"1,keyasint,omitempty"`
	Name      string       `cbor:"2,keyasint"`
	Settings  Settable     `cbor:"3,keyasint,omitempty"`
	Refresh   RefreshPatch `cbor:"4,keyasint,omitempty"`
	Health    string       `cbor:"5,keyasint,omitempty"`
	Reasons   []string     `cbor:"6,keyasint,omitempty"` // codes, sorted
	Versions  []string     `cbor:"7,keyasint,omitempty"` // store versions among counted nodes, sorted
	Primaries []Primary    `cbor:"8,keyasint,omitempty"` // sorted by shard
	Index     uint64       `cbor:"9,keyasint,omitempty"`
}

// Primary is what is known of who leads one shard.
type Primary struct {
	Shard string   `cbor:"1,keyasint" json:"shard"`
	Node  string   `cbor:"2,keyasint" json:"primary"`
	State string   `cbor:"3,keyasint,omitempty" json:"state,omitempty"` // "", lost or duplicated
	Nodes []string `cbor:"4,keyasint,omitempty" json:"nodes,omitempty"` // the claimants while duplicated, sorted
	Since Time     `cbor:"5,keyasint,omitempty" json:"since,omitzero"`
}

// The states of a Primary that is not as it should be.
const (
	PrimaryLost       = "lost"
	PrimaryDuplicated = "duplicated"
)

// Primary is the known primary of a shard, or nil for a shard that never had one.
func (c *Cluster) Primary(shard string) *Primary {
	i, ok := slices.BinarySearchFunc(c.Primaries, shard, func(p Primary, s string) int { return strings.Compare(p.Shard, s) })
	if !ok {
		return nil
	}
	return &c.Primaries[i]
}

// Word says whether an operator set something on the cluster, so that it stays when its last node goes.
func (c *Cluster) Word() bool { return !c.Settings.IsZero() || c.Refresh != (RefreshPatch{}) }

// View is the agreed picture of one cluster: its own row and its nodes by id. The rows are shared and immutable; Fold
// replaces them in the View, never changes them.
type View struct {
	Cluster *Cluster // nil before the cluster is discovered and after it is removed
	Nodes   map[string]*Node
}

// NodeIDs are the ids of the view's nodes, sorted.
func (v *View) NodeIDs() []string { return sortedKeys(v.Nodes) }

// Clone is a View that may be folded without changing v.
func (v *View) Clone() *View {
	c := &View{Cluster: v.Cluster, Nodes: make(map[string]*Node, len(v.Nodes))}
	maps.Copy(c.Nodes, v.Nodes)
	return c
}

// RefreshPatch is a cluster's own refresh settings: what is set wins over the discovery's.
type RefreshPatch struct {
	Prober         *string   `cbor:"1,keyasint,omitempty" json:"prober,omitempty"`
	Config         *JSON     `cbor:"2,keyasint,omitempty" json:"config,omitempty"`
	Interval       *Duration `cbor:"3,keyasint,omitempty" json:"interval,omitempty"`
	Timeout        *Duration `cbor:"4,keyasint,omitempty" json:"timeout,omitempty"`
	ConnectTimeout *Duration `cbor:"5,keyasint,omitempty" json:"connect_timeout,omitempty"`
	DownAfter      *int      `cbor:"6,keyasint,omitempty" json:"down_after,omitempty"`
	RetryAfter     *Duration `cbor:"7,keyasint,omitempty" json:"retry_after,omitempty"`
	LagLimit       *Duration `cbor:"8,keyasint,omitempty" json:"lag_limit,omitempty"`
	Identity       *string   `cbor:"9,keyasint,omitempty" json:"identity,omitempty"`
	On             *string   `cbor:"10,keyasint,omitempty" json:"on,omitempty"`
	Enabled        *bool     `cbor:"11,keyasint,omitempty" json:"enabled,omitempty"`
}

// Over is the settings of the discovery with the patch over them.
func (p *RefreshPatch) Over(s RefreshSpec) RefreshSpec {
	lay(&s.Prober, p.Prober)
	lay(&s.Config, p.Config)
	lay(&s.Interval, p.Interval)
	if p.Timeout != nil && p.ConnectTimeout == nil {
		s.ConnectTimeout = min(s.ConnectTimeout, *p.Timeout)
	}
	lay(&s.Timeout, p.Timeout)
	lay(&s.ConnectTimeout, p.ConnectTimeout)
	lay(&s.DownAfter, p.DownAfter)
	lay(&s.RetryAfter, p.RetryAfter)
	lay(&s.LagLimit, p.LagLimit)
	lay(&s.Identity, p.Identity)
	lay(&s.On, p.On)
	lay(&s.Enabled, p.Enabled)
	return s
}

func lay[T any](dst *T, over *T) {
	if over != nil {
		*dst = *over
	}
}
