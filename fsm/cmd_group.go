package fsm

// GroupCreate is the first command of a log: the group and its first epoch are born.
type GroupCreate struct {
	Group   string `cbor:"1,keyasint"`
	Epoch   string `cbor:"2,keyasint"`
	Feature uint32 `cbor:"3,keyasint,omitempty"`
}

func (*GroupCreate) number() uint64 { return 1 }

func (c *GroupCreate) apply(tx *txn) Result {
	if tx.meta.Group != "" {
		if tx.meta.Group == c.Group {
			return Result{}
		}
		return refuse(Errorf(CodeConflict, "the group %s is there already", tx.meta.Group))
	}
	tx.meta.Group, tx.meta.Feature = c.Group, c.Feature
	tx.meta.Epochs = []EpochMark{{Epoch: c.Epoch, First: tx.meta.Seq + 1}}
	tx.applied.Peers = true
	return Result{}
}

// LeaderChange is the first command of a term.
type LeaderChange struct {
	ID   string `cbor:"1,keyasint"`
	Name string `cbor:"2,keyasint"`
	Term uint64 `cbor:"3,keyasint"`
}

func (*LeaderChange) number() uint64 { return 2 }

func (c *LeaderChange) apply(tx *txn) Result {
	m := &tx.meta
	if c.Term <= m.Term {
		return Result{}
	}
	before := &LeaderPart{ID: m.Leader, Name: m.LeaderName, Term: m.Term}
	m.Leader, m.LeaderName, m.Term = c.ID, c.Name, c.Term
	f := Fact{Type: LeaderChanged, After: &LeaderPart{ID: c.ID, Name: c.Name, Term: c.Term}}
	if before.ID != "" {
		f.Before = before
	}
	tx.append(Cause{Kind: CauseGroup, Peer: c.Name}, f)
	tx.bumped[tablePeers] = true // who waits for peers waits for the leader
	tx.applied.Peers = true
	return Result{}
}

// PeerSet writes a peer's row; an event tells what of it changed.
type PeerSet struct {
	Peer   Peer   `cbor:"1,keyasint"`
	Reason string `cbor:"2,keyasint,omitempty"` // why it is doubted or gone, for the event
}

func (*PeerSet) number() uint64 { return 3 }

func (c *PeerSet) version() uint64 {
	if c.Peer.Failed != 0 {
		return 2
	}
	return 1
}

func (c *PeerSet) apply(tx *txn) Result {
	old, row := tx.Peer(c.Peer.ID), c.Peer
	row.Index = tx.index
	if old != nil {
		same := row
		same.Index = old.Index
		if string(mustEncode(same)) == string(mustEncode(old)) {
			return Result{}
		}
	}
	tx.put(tablePeers, &row)
	tx.applied.Peers = true
	part := &PeerPart{ID: row.ID, Name: row.Name, Status: row.Status, Reason: c.Reason}
	f := Fact{After: part}
	if old != nil {
		f.Before = &PeerPart{ID: old.ID, Name: old.Name, Status: old.Status}
	}
	switch {
	case old == nil:
		f.Type = PeerJoined
	case old.Status == PeerAlive && row.Status == PeerGone:
		f.Type = PeerFailed
	case old.Status == PeerGone && row.Status == PeerAlive:
		f.Type = PeerReturned
	case row.Doubted > old.Doubted:
		f.Type = PeerDoubted
	default:
		return Result{}
	}
	tx.append(Cause{Kind: CauseGroup, Peer: row.Name}, f)
	return Result{}
}

// PeerRemove removes a peer's row: it has left, or was removed or replaced.
type PeerRemove struct {
	ID     string `cbor:"1,keyasint"`
	Reason string `cbor:"2,keyasint,omitempty"` // left, removed, replaced
}

func (*PeerRemove) number() uint64 { return 4 }

func (c *PeerRemove) apply(tx *txn) Result {
	old := tx.Peer(c.ID)
	if old == nil {
		return Result{}
	}
	tx.drop(tablePeers, old)
	tx.applied.Peers = true
	tx.append(Cause{Kind: CauseGroup, Peer: old.Name}, Fact{
		Type: PeerLeft, Before: &PeerPart{ID: old.ID, Name: old.Name, Status: old.Status},
		After: &PeerPart{ID: old.ID, Name: old.Name, Reason: c.Reason},
	})
	return Result{}
}

// SettingsSet replaces the group's settings but for the pause. CAS, when set, is the index they must be at.
type SettingsSet struct {
	Settings Settings `cbor:"1,keyasint"`
	CAS      *uint64  `cbor:"2,keyasint,omitempty"`
	Cause    Cause    `cbor:"3,keyasint"`
}

func (*SettingsSet) number() uint64 { return 5 }

func (c *SettingsSet) version() uint64 {
	if c.Settings.DeadPeers != (DeadPeers{}) || c.Settings.Pause != nil {
		return 2
	}
	return 1
}

func (c *SettingsSet) apply(tx *txn) Result {
	old, row := tx.Settings(), c.Settings
	row.Pause = old.Pause
	if row.Same(*old) {
		return Result{}
	}
	if err := casFails(c.CAS, old.Index); err != nil {
		return refuse(err)
	}
	row.Index = tx.index
	tx.put(tableSettings, &row)
	tx.applied.Peers = true
	before, after := *old, row
	before.Pause, after.Pause = nil, nil // it has events of its own
	tx.append(c.Cause, Fact{Type: SettingsChanged, Before: &GlobalsPart{before}, After: &GlobalsPart{after}})
	return Result{}
}

// casFails says whether a compare-and-set names another index than the row is at; 0 means the row must not be there.
func casFails(cas *uint64, at uint64) error {
	if cas == nil || *cas == at {
		return nil
	}
	return Errorf(CodeCAS, "the index is %d, not %d: read again and decide anew", at, *cas).With("index", itoa(int(at)))
}

// OperatorAct records an operator's act that changes no row.
type OperatorAct struct {
	Action  string `cbor:"1,keyasint"`
	Subject string `cbor:"2,keyasint,omitempty"`
	Cause   Cause  `cbor:"3,keyasint"`
}

func (*OperatorAct) number() uint64 { return 6 }

func (c *OperatorAct) apply(tx *txn) Result {
	tx.append(c.Cause, Fact{Type: OperatorActed, After: &ActionPart{Action: c.Action, Subject: c.Subject}})
	return Result{}
}

// EventsTrim drops the events before First and all but the last Audit rows of the audit table. It makes no event, and the
// kept events stay one gap-free range.
type EventsTrim struct {
	First uint64 `cbor:"1,keyasint"`
	Audit int    `cbor:"2,keyasint,omitempty"`
}

func (*EventsTrim) number() uint64 { return 7 }

func (c *EventsTrim) apply(tx *txn) Result {
	m := &tx.meta
	tx.dropEvents(c.First)
	for excess := m.Audits - c.Audit; c.Audit > 0 && excess > 0; excess-- {
		for e := range from[eventRow](&tx.Reader, tableAudit, byID, nil) {
			tx.remove(tableAudit, e)
			m.Audits--
			break
		}
	}
	m.Trimmed = m.Time
	return Result{}
}

// FeatureRaise raises the group's feature level: what may be proposed, and what a snapshot holds. The state takes any level;
// a peer that does not understand it stops.
type FeatureRaise struct {
	Level uint32 `cbor:"1,keyasint"`
}

func (*FeatureRaise) number() uint64 { return 8 }

func (c *FeatureRaise) apply(tx *txn) Result {
	tx.meta.Feature = max(tx.meta.Feature, c.Level)
	tx.applied.Peers = true
	return Result{}
}
