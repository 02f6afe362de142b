package fsm

import "strings"

// EventType names a kind of event: noun.past.
type EventType string

// The types whose facts make up a view; the comment says what each owns.
const (
	ClusterDiscovered      EventType = "cluster.discovered" // the cluster itself
	ClusterRemoved         EventType = "cluster.removed"
	ClusterHealthChanged   EventType = "cluster.health_changed" // health with its reasons
	ClusterVersionsMixed   EventType = "cluster.versions_mixed" // the set of versions
	ClusterVersionsUniform EventType = "cluster.versions_uniform"
	ClusterSettingsChanged EventType = "cluster.settings_changed" // group, labels, vars, refresh

	NodeDiscovered        EventType = "node.discovered" // the node itself
	NodeRemoved           EventType = "node.removed"
	NodeForgotten         EventType = "node.forgotten"
	NodeChanged           EventType = "node.changed" // endpoint and sources
	NodeMissing           EventType = "node.missing" // presence
	NodeReturned          EventType = "node.returned"
	NodeCommissioned      EventType = "node.commissioned" // lifecycle
	NodeMaintenance       EventType = "node.maintenance"
	NodeResumed           EventType = "node.resumed"
	NodeDecommissioned    EventType = "node.decommissioned"
	NodeSettingsChanged   EventType = "node.settings_changed" // group, labels, vars
	NodeUnreachable       EventType = "node.unreachable"      // reach
	NodeReachable         EventType = "node.reachable"
	NodeUp                EventType = "node.up" // state; the first answer also carries all the node said
	NodeDown              EventType = "node.down"
	NodeJoining           EventType = "node.joining"
	NodeLeaving           EventType = "node.leaving"
	NodeUnknown           EventType = "node.unknown"
	NodeInfoChanged       EventType = "node.info_changed"      // kind, versions, attributes
	NodeAttributeMuted    EventType = "node.attribute_muted"   // the set of muted attributes
	NodeIdentityMismatch  EventType = "node.identity_mismatch" // identity
	NodeIdentityMatched   EventType = "node.identity_matched"
	ShardAdded            EventType = "shard.added" // (node, shard): role
	ShardChanged          EventType = "shard.changed"
	ShardRemoved          EventType = "shard.removed"
	ShardLagHigh          EventType = "shard.lag_high" // (node, shard): past lag_limit
	ShardLagOK            EventType = "shard.lag_ok"
	ShardPrimaryChanged   EventType = "shard.primary_changed" // (cluster, shard): the known primary
	ShardPrimaryLost      EventType = "shard.primary_lost"
	ShardPrimaryRestored  EventType = "shard.primary_restored"
	ShardPrimaryDuplicate EventType = "shard.primary_duplicated"
)

// The types that are no part of a view: Apply makes them when the row they are about changes.
const (
	DiscoveryApplied   EventType = "discovery.applied"
	DiscoveryDeleted   EventType = "discovery.deleted"
	DiscoveryFailed    EventType = "discovery.failed"
	DiscoveryRecovered EventType = "discovery.recovered"
	DiscoveryHeld      EventType = "discovery.held"
	DiscoveryReleased  EventType = "discovery.released"
	ClaimExpired       EventType = "claim.expired"
	PeerJoined         EventType = "peer.joined"
	PeerLeft           EventType = "peer.left"
	PeerFailed         EventType = "peer.failed"
	PeerReturned       EventType = "peer.returned"
	PeerDoubted        EventType = "peer.doubted"
	LeaderChanged      EventType = "leader.changed"
	SettingsChanged    EventType = "settings.changed"
	SchedulePaused     EventType = "schedule.paused"
	ScheduleResumed    EventType = "schedule.resumed"
	OperatorActed      EventType = "operator.acted"
	ACLBootstrapped    EventType = "acl.bootstrapped"
	TokenCreated       EventType = "acl.token_created"
	TokenDeleted       EventType = "acl.token_deleted"
	StateRestored      EventType = "state.restored"
)

// stateEvent is the type that tells a state.
func stateEvent(state string) EventType {
	switch state {
	case StateUp:
		return NodeUp
	case StateDown:
		return NodeDown
	case StateJoining:
		return NodeJoining
	case StateLeaving:
		return NodeLeaving
	}
	return NodeUnknown
}

// Fact is one change of a view as its proposer computed it: a typed fact with exact before and after. Node and Shard are
// empty where the type does not have them. It becomes an Event when Apply appends it.
type Fact struct {
	Type   EventType
	Node   string
	Shard  string
	Before Part // nil: was not there
	After  Part // nil: is no longer there
}

// Reverse is the fact that undoes f; folding it is unfolding f.
func (f Fact) Reverse() Fact {
	f.Before, f.After = f.After, f.Before
	return f
}

// CauseKind says who or what an event comes from.
type CauseKind string

// The kinds of causes.
const (
	CauseRefresh   CauseKind = "refresh"
	CauseDiscovery CauseKind = "discovery"
	CauseOperator  CauseKind = "operator"
	CauseGroup     CauseKind = "group"
)

// Cause says who or what an event comes from: a refresh or run by its token and peer, an operator by accessor and
// address, or the group itself.
type Cause struct {
	Kind      CauseKind `cbor:"1,keyasint" json:"kind"`
	Token     uint64    `cbor:"2,keyasint,omitempty" json:"token,omitempty"`
	Peer      string    `cbor:"3,keyasint,omitempty" json:"peer,omitempty"` // name of the peer that worked
	Discovery string    `cbor:"4,keyasint,omitempty" json:"discovery,omitempty"`
	Accessor  string    `cbor:"5,keyasint,omitempty" json:"accessor,omitempty"`
	Address   string    `cbor:"6,keyasint,omitempty" json:"address,omitempty"`
}

// Event is one fact that changed, numbered. Seq is dense within an epoch. Time is logical.
type Event struct {
	Seq         uint64
	Time        Time
	Cluster     string // name
	Maintenance bool   // the node was in maintenance
	Cause       Cause
	Fact
}

// Matches says whether the type is meant by a pattern: a type, or a prefix ending in "*" like "node.*"; empty and "*"
// mean all.
func (t EventType) Matches(pattern string) bool {
	if prefix, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(string(t), prefix)
	}
	return pattern == "" || string(t) == pattern
}
