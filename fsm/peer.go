package fsm

// Peer is a row about a member of the group. Addresses are never in it. Its id is a ULID; names are for people and unique
// in the group.
type Peer struct {
	ID     string            `cbor:"1,keyasint" json:"id"`
	Name   string            `cbor:"2,keyasint" json:"name"`
	Status string            `cbor:"3,keyasint" json:"status"` // one of the Peer constants
	Worker bool              `cbor:"4,keyasint,omitempty" json:"worker,omitempty"`
	Labels map[string]string `cbor:"5,keyasint,omitempty" json:"labels,omitempty"`
	// Release is the highest feature level it understands; the group's is raised when all have announced it.
	Release uint32 `cbor:"6,keyasint,omitempty" json:"feature_level"`
	// Doubted is until when it gets no claims, since most failures it reports are not confirmed by others.
	Doubted Time `cbor:"8,keyasint,omitempty" json:"doubted_until,omitzero"`
	// Failed is since when it has failed, as told from feature level 2 on.
	Failed Time   `cbor:"9,keyasint,omitempty" json:"failed_at,omitzero"`
	Index  uint64 `cbor:"7,keyasint,omitempty" json:"-"`
}

// Status of a peer.
const (
	PeerAlive = "alive"
	PeerGone  = "failed"
)

// Settings is the one row of what holds for the whole group.
type Settings struct {
	Settable  `cbor:"1,keyasint,omitempty"`
	Retention Retention `cbor:"2,keyasint" json:"retention"`
	Limits    Limits    `cbor:"3,keyasint" json:"limits"`
	Voters    int       `cbor:"4,keyasint" json:"voters"` // how many peers vote at most; the rest stand by
	Index     uint64    `cbor:"5,keyasint,omitempty" json:"index"`
	DeadPeers DeadPeers `cbor:"6,keyasint,omitempty" json:"dead_peers"`
	Pause     *Pause    `cbor:"7,keyasint,omitempty" json:"pause,omitempty"` // set by SchedulePause alone
}

// DeadPeers says what becomes of peers that have failed.
type DeadPeers struct {
	// RemoveAfter is how long one has failed before the leader removes it, as far as the voters that are left allow; 0 for never.
	RemoveAfter Duration `cbor:"1,keyasint,omitempty" json:"remove_after"`
}

// leastDead is how soon a dead peer may be removed: a restart takes less.
const leastDead = Minute

// Retention says how much of the event log is kept: an event goes once it is beyond one of these.
type Retention struct {
	Events int      `cbor:"1,keyasint" json:"events"`
	Age    Duration `cbor:"2,keyasint" json:"age"`
	Bytes  int64    `cbor:"3,keyasint" json:"bytes"`
	Audit  int      `cbor:"4,keyasint" json:"audit"` // operators' events, kept apart
}

// Limits bounds the work.
type Limits struct {
	InFlight int `cbor:"1,keyasint" json:"in_flight"` // polls at once per peer
}

// DefaultSettings hold until an operator says otherwise.
func DefaultSettings() Settings {
	return Settings{
		Retention: Retention{Events: 100_000, Age: 30 * Day, Bytes: 64 << 20, Audit: 10_000},
		Limits:    Limits{InFlight: 4096},
		Voters:    5,
	}
}

// Validate refuses settings out of range, naming the field.
func (s *Settings) Validate() error {
	switch {
	case s.Retention.Events < 1000 || s.Retention.Events > 10_000_000:
		return Invalid("retention.events", "%d is not between 1000 and 10000000", s.Retention.Events)
	case s.Retention.Age < Minute:
		return Invalid("retention.age", "%s is shorter than 1m", s.Retention.Age)
	case s.Retention.Bytes < 1<<20 || s.Retention.Bytes > 4<<30:
		return Invalid("retention.bytes", "%d is not between 1 MiB and 4 GiB", s.Retention.Bytes)
	case s.Retention.Audit < 100 || s.Retention.Audit > 1_000_000:
		return Invalid("retention.audit", "%d is not between 100 and 1000000", s.Retention.Audit)
	case s.Limits.InFlight < 1 || s.Limits.InFlight > 16_384:
		return Invalid("limits.in_flight", "%d is not between 1 and 16384", s.Limits.InFlight)
	case s.Voters < 1 || s.Voters > 9 || s.Voters%2 == 0:
		return Invalid("voters", "%d is not one of 1, 3, 5, 7, 9", s.Voters)
	case s.DeadPeers.RemoveAfter != 0 && s.DeadPeers.RemoveAfter < leastDead:
		return Invalid("dead_peers.remove_after", "%s is shorter than %s; 0s is for never", s.DeadPeers.RemoveAfter, leastDead)
	}
	return s.Settable.Validate()
}

// Same says whether two settings are equal but for their index.
func (s Settings) Same(o Settings) bool {
	return s.Settable.Equal(o.Settable) && s.Retention == o.Retention && s.Limits == o.Limits && s.Voters == o.Voters &&
		s.DeadPeers == o.DeadPeers && s.Pause.same(o.Pause)
}
