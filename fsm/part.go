package fsm

// Part is one side of a fact: exactly the part of a view, or of a row outside views, that the event's type owns. Each
// type has one concrete Part, a pointer to one of the structs of this file.
type Part interface{ part() }

// NodePart is a whole node; a discovered one has only its endpoint, sources, presence and lifecycle.
type NodePart struct {
	Endpoint
	Sources   []string  `cbor:"11,keyasint,omitempty" json:"sources,omitempty"`
	Presence  Presence  `cbor:"12,keyasint" json:"presence"`
	Lifecycle Lifecycle `cbor:"13,keyasint" json:"lifecycle"`
	Settings  Settable  `cbor:"14,keyasint,omitempty" json:"settings,omitzero"`
	Reach     Axis      `cbor:"15,keyasint,omitempty" json:"reach,omitzero"`
	State     Axis      `cbor:"16,keyasint,omitempty" json:"state,omitzero"`
	Said      *Said     `cbor:"17,keyasint,omitempty" json:"said,omitempty"`
	Muted     []string  `cbor:"18,keyasint,omitempty" json:"muted,omitempty"`
}

// ListedPart is what sources say of a node.
type ListedPart struct {
	Endpoint
	Sources []string `cbor:"11,keyasint,omitempty" json:"sources"`
}

// PresencePart is a node's presence.
type PresencePart struct {
	Presence Presence `cbor:"1,keyasint" json:"presence"`
}

// LifecyclePart is a node's lifecycle.
type LifecyclePart struct {
	Lifecycle Lifecycle `cbor:"1,keyasint" json:"lifecycle"`
}

// SettingsPart is what an operator set on a node or cluster; Refresh is a cluster's only.
type SettingsPart struct {
	Settable
	Refresh *RefreshPatch `cbor:"11,keyasint,omitempty" json:"refresh,omitempty"`
}

// ReachPart is a node's reach.
type ReachPart struct {
	Reach  string `cbor:"1,keyasint,omitempty" json:"reach"`
	Reason string `cbor:"2,keyasint,omitempty" json:"reason,omitempty"`
	Detail string `cbor:"3,keyasint,omitempty" json:"detail,omitempty"`
	Since  Time   `cbor:"4,keyasint,omitempty" json:"since,omitzero"`
}

// StatePart is a node's state. Said is there only in the event of the first accepted answer, on both sides.
type StatePart struct {
	State  string `cbor:"1,keyasint,omitempty" json:"state"`
	Reason string `cbor:"2,keyasint,omitempty" json:"reason,omitempty"`
	Detail string `cbor:"3,keyasint,omitempty" json:"detail,omitempty"`
	Since  Time   `cbor:"4,keyasint,omitempty" json:"since,omitzero"`
	Said   *Said  `cbor:"5,keyasint,omitempty" json:"said,omitempty"`
}

// SoftwarePart is what runs on a node: kind, versions and attributes.
type SoftwarePart struct {
	Kind           string            `cbor:"1,keyasint,omitempty" json:"kind,omitempty"`
	Version        string            `cbor:"2,keyasint,omitempty" json:"version,omitempty"`
	SidecarVersion string            `cbor:"3,keyasint,omitempty" json:"sidecar_version,omitempty"`
	Attributes     map[string]string `cbor:"4,keyasint,omitempty" json:"attributes,omitempty"`
}

// MutedPart is the set of a node's attributes that are no longer followed.
type MutedPart struct {
	Muted []string `cbor:"1,keyasint,omitempty" json:"muted"`
}

// IdentityPart is who a node says it is.
type IdentityPart struct{ Identity }

// ShardPart is a shard as a node holds it: its role, with the offset and lag seen then.
type ShardPart struct {
	Role   string  `cbor:"1,keyasint" json:"role"`
	Offset *Offset `cbor:"2,keyasint,omitempty" json:"offset,omitempty"`
	LagMS  *int64  `cbor:"3,keyasint,omitempty" json:"lag_ms,omitempty"`
}

// LagPart is a lag past the limit; nil High is a lag within it.
type LagPart struct {
	High *High `cbor:"1,keyasint,omitempty" json:"lag_high,omitempty"`
}

// ClusterPart is a cluster itself, with its facts when it is removed.
type ClusterPart struct {
	Settings  Settable      `cbor:"1,keyasint,omitempty" json:"settings,omitzero"`
	Refresh   *RefreshPatch `cbor:"2,keyasint,omitempty" json:"refresh,omitempty"`
	Health    string        `cbor:"3,keyasint,omitempty" json:"health,omitempty"`
	Reasons   []string      `cbor:"4,keyasint,omitempty" json:"reasons,omitempty"`
	Versions  []string      `cbor:"5,keyasint,omitempty" json:"versions,omitempty"`
	Primaries []Primary     `cbor:"6,keyasint,omitempty" json:"primaries,omitempty"`
}

// HealthPart is a cluster's health with the reasons.
type HealthPart struct {
	Health  string   `cbor:"1,keyasint,omitempty" json:"health"`
	Reasons []string `cbor:"2,keyasint,omitempty" json:"reasons,omitempty"`
}

// VersionsPart is the set of store versions among the counted nodes.
type VersionsPart struct {
	Versions []string `cbor:"1,keyasint,omitempty" json:"versions"`
}

// PrimaryPart is the known primary of a shard.
type PrimaryPart struct {
	Primary string   `cbor:"1,keyasint,omitempty" json:"primary"`
	State   string   `cbor:"2,keyasint,omitempty" json:"state,omitempty"`
	Nodes   []string `cbor:"3,keyasint,omitempty" json:"nodes,omitempty"`
	Since   Time     `cbor:"4,keyasint,omitempty" json:"since,omitzero"`
}

// DiscoveryPart is a discovery's setting.
type DiscoveryPart struct {
	Name string `cbor:"21,keyasint" json:"name"`
	Spec
}

// RunPart tells how a discovery's runs go.
type RunPart struct {
	Name  string `cbor:"1,keyasint" json:"name"`
	Error string `cbor:"2,keyasint,omitempty" json:"error,omitempty"`
}

// HeldPart is a set of absences kept back: the first hundred are named.
type HeldPart struct {
	Name  string    `cbor:"1,keyasint" json:"name"`
	Count int       `cbor:"2,keyasint" json:"count"`
	Owned int       `cbor:"3,keyasint" json:"owned"`
	Hash  string    `cbor:"4,keyasint" json:"hash"`
	Nodes []NodeRef `cbor:"5,keyasint,omitempty" json:"nodes,omitempty"`
}

// ExpiredPart is a sweep of claims taken from one peer.
type ExpiredPart struct {
	Peer     string   `cbor:"1,keyasint" json:"peer"`
	Reason   string   `cbor:"2,keyasint" json:"reason"` // "ttl", "peer_gone" or "peer_silent"
	Count    int      `cbor:"3,keyasint" json:"count"`
	Subjects []string `cbor:"4,keyasint,omitempty" json:"subjects,omitempty"` // the first hundred, "cluster orders"
}

// PeerPart is a peer's row.
type PeerPart struct {
	ID     string `cbor:"1,keyasint" json:"id"`
	Name   string `cbor:"2,keyasint" json:"name"`
	Status string `cbor:"3,keyasint,omitempty" json:"status,omitempty"`
	Reason string `cbor:"4,keyasint,omitempty" json:"reason,omitempty"`
}

// LeaderPart names the leader of a term.
type LeaderPart struct {
	ID   string `cbor:"1,keyasint" json:"id"`
	Name string `cbor:"2,keyasint" json:"name"`
	Term uint64 `cbor:"3,keyasint" json:"term"`
}

// GlobalsPart is the group's settings.
type GlobalsPart struct{ Settings }

// PausePart is the pause of all scheduling.
type PausePart struct{ Pause }

// ActionPart is an operator's act that changed no row: what, and on what.
type ActionPart struct {
	Action  string `cbor:"1,keyasint" json:"action"`
	Subject string `cbor:"2,keyasint,omitempty" json:"subject,omitempty"`
}

// TokenPart is a token, without what it could be shown by.
type TokenPart struct {
	Accessor    string  `cbor:"1,keyasint" json:"accessor"`
	Rights      []Right `cbor:"2,keyasint" json:"roles"`
	Description string  `cbor:"3,keyasint,omitempty" json:"description,omitempty"`
	Expires     Time    `cbor:"4,keyasint,omitempty" json:"expires,omitzero"`
}

// RestoredPart tells where an epoch ended.
type RestoredPart struct {
	Epoch string `cbor:"1,keyasint" json:"epoch"`
	Seq   uint64 `cbor:"2,keyasint" json:"seq"`
}

func (*NodePart) part()      {}
func (*ListedPart) part()    {}
func (*PresencePart) part()  {}
func (*LifecyclePart) part() {}
func (*SettingsPart) part()  {}
func (*ReachPart) part()     {}
func (*StatePart) part()     {}
func (*SoftwarePart) part()  {}
func (*MutedPart) part()     {}
func (*IdentityPart) part()  {}
func (*ShardPart) part()     {}
func (*LagPart) part()       {}
func (*ClusterPart) part()   {}
func (*HealthPart) part()    {}
func (*VersionsPart) part()  {}
func (*PrimaryPart) part()   {}
func (*DiscoveryPart) part() {}
func (*RunPart) part()       {}
func (*HeldPart) part()      {}
func (*ExpiredPart) part()   {}
func (*PeerPart) part()      {}
func (*LeaderPart) part()    {}
func (*GlobalsPart) part()   {}
func (*PausePart) part()     {}
func (*ActionPart) part()    {}
func (*TokenPart) part()     {}
func (*RestoredPart) part()  {}
