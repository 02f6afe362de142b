package httpd

import "github.com/musterhq/muster/fsm"

// ClusterRow is a cluster in a list. RefreshedAt, NextRefresh and Overdue are laid over when answering and never move
// Index.
type ClusterRow struct {
	Name        string            `json:"name"`
	Health      string            `json:"health"`
	Reasons     []string          `json:"reasons"`
	Group       string            `json:"group"`
	Labels      map[string]string `json:"labels"` // set by operators
	Nodes       Counts            `json:"nodes"`
	Shards      int               `json:"shards"`    // distinct ids
	Primaries   int               `json:"primaries"` // shards with one known primary
	Kinds       []string          `json:"kinds"`     // of counted nodes, sorted
	Versions    []string          `json:"versions"`  // of counted nodes, sorted
	RefreshedAt fsm.Time          `json:"refreshed_at,omitzero"`
	NextRefresh fsm.Time          `json:"next_refresh,omitzero"` // absent while refreshing is off
	Overdue     fsm.Duration      `json:"overdue,omitzero"`      // since it was due, while nobody has claimed it
	Index       uint64            `json:"index"`
}

// Counts counts a cluster's nodes. Counted ones, commissioned and present, are well or unwell.
type Counts struct {
	Total          int `json:"total"`
	Well           int `json:"well"`
	Unwell         int `json:"unwell"`
	Missing        int `json:"missing"`
	Pending        int `json:"pending"` // discovered and not yet commissioned
	Maintenance    int `json:"maintenance"`
	Decommissioned int `json:"decommissioned"`
}

// ClusterDetail is one cluster with all that is known of it; its lists of nodes and shards stand where the row counts
// them.
type ClusterDetail struct {
	ClusterRow
	Settings    ClusterSettings `json:"settings"`
	Nodes       []NodeRow       `json:"nodes"`
	Shards      []ShardRow      `json:"shards"`
	At          Moment          `json:"at,omitzero"`           // only of answers about the past
	LastRefresh fsm.Work        `json:"last_refresh,omitzero"` // its peer by name
}

// ClusterSettings is what operators set on a cluster, and what a PATCH of it may hold.
type ClusterSettings struct {
	Group   string            `json:"group"`
	Labels  map[string]string `json:"labels"`
	Vars    fsm.JSON          `json:"vars"`
	Guards  []fsm.Guard       `json:"guards"`
	Refresh fsm.RefreshPatch  `json:"refresh"`
}

// ShardRow is one shard of a cluster over the nodes that hold it.
type ShardRow struct {
	ID      string      `json:"id"`
	Primary string      `json:"primary"` // the known primary, empty for a shard that never had one
	State   string      `json:"state"`   // empty, lost or duplicated
	Nodes   []ShardNode `json:"nodes"`   // by id
}

// ShardNode is a node's part in a shard.
type ShardNode struct {
	Node   string      `json:"node"`
	Role   string      `json:"role"`
	Offset *fsm.Offset `json:"offset,omitempty"`
	LagMS  *int64      `json:"lag_ms,omitempty"`
	High   *fsm.High   `json:"lag_high,omitempty"`
}

// NodeRow is one node. ObservedAt and Failures are laid over when answering and never move Index.
type NodeRow struct {
	Cluster        string            `json:"cluster"`
	ID             string            `json:"id"`
	Address        string            `json:"address"`
	Port           int               `json:"port"`
	Probe          string            `json:"probe,omitempty"`         // its own prober, where its record names one
	Labels         map[string]string `json:"labels"`                  // the discovery's with the operator's over them
	LabelSources   map[string]string `json:"label_sources,omitempty"` // discovery or operator, by label
	Sources        []fsm.Source      `json:"sources"`                 // by age of the discovery
	Presence       fsm.Presence      `json:"presence"`
	Lifecycle      fsm.Lifecycle     `json:"lifecycle"`
	Group          string            `json:"group"`
	Vars           fsm.JSON          `json:"vars"`
	Reach          fsm.Axis          `json:"reach"`
	State          fsm.Axis          `json:"state"`
	Kind           string            `json:"kind"`
	Version        string            `json:"version"`
	SidecarVersion string            `json:"sidecar_version"`
	Identity       fsm.Identity      `json:"identity,omitzero"`
	Shards         []fsm.Shard       `json:"shards"`
	Attributes     map[string]string `json:"attributes"`
	Muted          []string          `json:"muted,omitempty"` // attributes that are no longer followed
	ObservedAt     fsm.Time          `json:"observed_at,omitzero"`
	Failures       int               `json:"failures"` // failed polls in a row, counted up to down_after
	Index          uint64            `json:"index"`
}

// NodeSettings is what operators set on a node, and what a PATCH of it may hold.
type NodeSettings struct {
	Group  string            `json:"group"`
	Labels map[string]string `json:"labels"`
	Vars   fsm.JSON          `json:"vars"`
}

// Transition asks to move nodes, named cluster/id, to another lifecycle: all or none.
type Transition struct {
	To    fsm.Lifecycle `json:"to"`
	Force bool          `json:"force"`
	Nodes []string      `json:"nodes"`
}

// Transitioned names the nodes that were moved; those that were there already are not among them.
type Transitioned struct {
	Index uint64   `json:"index"`
	Moved []string `json:"moved"`
}

// LiveNode is what a node said just now beside what is agreed of it.
type LiveNode struct {
	Node string   `json:"node"`
	Says Answer   `json:"says"`
	View *NodeRow `json:"view,omitempty"` // absent for a node that went meanwhile
}

// Answer is one answer of one node. One that could not be asked has only Reach.
type Answer struct {
	Reach          fsm.Axis          `json:"reach"`
	State          fsm.Axis          `json:"state,omitzero"`
	Identity       fsm.Identity      `json:"identity,omitzero"`
	Kind           string            `json:"kind,omitempty"`
	Version        string            `json:"version,omitempty"`
	SidecarVersion string            `json:"sidecar_version,omitempty"`
	Shards         []fsm.Shard       `json:"shards,omitempty"`
	Attributes     map[string]string `json:"attributes,omitempty"`
}
