package fsm

// EventTypes are all types of events that this release knows.
func EventTypes() []EventType {
	return []EventType{
		ClusterDiscovered, ClusterRemoved, ClusterHealthChanged, ClusterVersionsMixed, ClusterVersionsUniform,
		ClusterSettingsChanged, NodeDiscovered, NodeRemoved, NodeForgotten, NodeChanged, NodeMissing, NodeReturned,
		NodeCommissioned, NodeMaintenance, NodeResumed, NodeDecommissioned, NodeSettingsChanged, NodeUnreachable,
		NodeReachable, NodeUp, NodeDown, NodeJoining, NodeLeaving, NodeUnknown, NodeInfoChanged, NodeAttributeMuted,
		NodeIdentityMismatch, NodeIdentityMatched, ShardAdded, ShardChanged, ShardRemoved, ShardLagHigh, ShardLagOK,
		ShardPrimaryChanged, ShardPrimaryLost, ShardPrimaryRestored, ShardPrimaryDuplicate, DiscoveryApplied,
		DiscoveryDeleted, DiscoveryFailed, DiscoveryRecovered, DiscoveryHeld, DiscoveryReleased, ClaimExpired, PeerJoined,
		PeerLeft, PeerFailed, PeerReturned, PeerDoubted, LeaderChanged, SettingsChanged, SchedulePaused, ScheduleResumed,
		OperatorActed, ACLBootstrapped, TokenCreated, TokenDeleted, StateRestored,
	}
}
