package fsm

// ClaimGrant opens a claim for each subject of one kind that has none, all for one peer. Subjects that are gone, not wanted
// or claimed already are passed over; for a single one the Result says why. While all scheduling is paused it is refused.
type ClaimGrant struct {
	Kind   Kind     `cbor:"1,keyasint"`
	Peer   string   `cbor:"2,keyasint"`
	TTL    Duration `cbor:"3,keyasint"`
	Reason string   `cbor:"4,keyasint"`
	IDs    []uint64 `cbor:"5,keyasint"`
	Names  []string `cbor:"6,keyasint,omitempty"` // with a single id only: see Claim.Names
	Alone  bool     `cbor:"7,keyasint,omitempty"`
	Cause  *Cause   `cbor:"8,keyasint,omitempty"` // who asked, when an operator did
}

func (*ClaimGrant) number() uint64 { return 20 }

func (c *ClaimGrant) apply(tx *txn) Result {
	if c.Kind != KindRun && c.Kind != KindRefresh {
		return refuse(Errorf(CodeInvalid, "there is no kind %d of claims", c.Kind))
	}
	if p := tx.Settings().Pause; p.Holds(tx.now()) {
		return refuse(p.Refusal())
	}
	if len(c.IDs) == 1 {
		return c.grant(tx, Subject{c.Kind, c.IDs[0]})
	}
	for _, id := range c.IDs {
		c.grant(tx, Subject{c.Kind, id})
	}
	return Result{}
}

func (c *ClaimGrant) grant(tx *txn, s Subject) Result {
	name, base, err := c.claimable(tx, s)
	if err != nil {
		return refuse(err)
	}
	if open := tx.Claim(s); open != nil {
		return Result{Claim: open, Error: Errorf(CodeClaimed, "a %s of %q is open already", s.Kind, name)}
	}
	if tx.spent[s] {
		return refuse(Errorf(CodeConflict, "a %s of %q was claimed and closed just now; ask again", s.Kind, name))
	}
	claim := tx.grant(Claim{
		Subject: s, Peer: c.Peer, TTL: c.TTL, Reason: c.Reason, Names: c.Names, Alone: c.Alone, Base: base,
	})
	if c.Cause != nil {
		tx.append(*c.Cause, Fact{
			Type: OperatorActed, After: &ActionPart{Action: s.Kind.String(), Subject: name},
		})
	}
	return Result{Claim: claim}
}

// claimable says whether the subject may be claimed, with its name and the base of the claim's first part.
func (c *ClaimGrant) claimable(tx *txn, s Subject) (name string, base uint64, err error) {
	if s.Kind == KindRefresh {
		row := tx.ClusterByID(s.ID)
		if row == nil {
			return "", 0, Errorf(CodeNotFound, "there is no cluster %d", s.ID)
		}
		return row.Name, 0, nil
	}
	d := tx.DiscoveryByID(s.ID)
	switch {
	case d == nil:
		return "", 0, Errorf(CodeNotFound, "there is no discovery %d", s.ID)
	case d.Deleting != (c.Reason == WhyDelete):
		return d.Name, 0, Errorf(CodeConflict, "discovery %q is being deleted", d.Name)
	case !d.Spec.Enabled && !d.Deleting:
		return d.Name, 0, Errorf(CodeConflict, "discovery %q is disabled", d.Name)
	}
	return d.Name, d.Settings, nil
}

// Ticket names one claim by what fences it.
type Ticket struct {
	Subject Subject `cbor:"1,keyasint"`
	Token   uint64  `cbor:"2,keyasint"`
}

// Ticket is what fences the claim.
func (c *Claim) Ticket() Ticket { return Ticket{c.Subject, c.Token} }

// held is the open claim of a ticket, or why it is none.
func (tx *txn) held(t Ticket) (*Claim, error) {
	open := tx.Claim(t.Subject)
	if open == nil || open.Token != t.Token {
		return nil, Errorf(CodeConflict, "the claim %d is not open any more", t.Token)
	}
	return open, nil
}

// ClaimAbandon gives claims back; their subjects are due at once.
type ClaimAbandon struct {
	Claims []Ticket `cbor:"1,keyasint"`
	Error  string   `cbor:"2,keyasint,omitempty"` // why, for people
}

func (*ClaimAbandon) number() uint64 { return 21 }

func (c *ClaimAbandon) apply(tx *txn) Result {
	for _, t := range c.Claims {
		if open, err := tx.held(t); err == nil {
			tx.close(open, func(s *Schedule) {
				s.AtOnce = true
				s.ended(open, Work{Outcome: OutcomeGivenBack, Error: c.Error}, tx.meta.Feature)
			})
		}
	}
	return Result{}
}

// ClaimExpire takes claims from one peer: the leader's judgement, never a clock of Apply. One event tells them all.
type ClaimExpire struct {
	Peer   string   `cbor:"1,keyasint"`
	Reason string   `cbor:"2,keyasint"` // "ttl", "peer_gone" or "peer_silent"
	Claims []Ticket `cbor:"3,keyasint"`
}

func (*ClaimExpire) number() uint64 { return 22 }

func (c *ClaimExpire) apply(tx *txn) Result {
	part := &ExpiredPart{Peer: tx.peerName(c.Peer), Reason: c.Reason}
	for _, t := range c.Claims {
		open, err := tx.held(t)
		if err != nil || open.Peer != c.Peer {
			continue
		}
		part.Count++
		if len(part.Subjects) < 100 {
			part.Subjects = append(part.Subjects, tx.subjectName(t.Subject))
		}
		tx.close(open, func(s *Schedule) {
			s.AtOnce = true
			s.ended(open, Work{Outcome: OutcomeExpired, Error: c.Reason}, tx.meta.Feature)
		})
	}
	if part.Count > 0 {
		tx.append(Cause{Kind: CauseGroup, Peer: part.Peer}, Fact{Type: ClaimExpired, After: part})
	}
	return Result{}
}

// peerName is the name of a peer, or its id when its row is gone.
func (r *Reader) peerName(id string) string {
	if p := r.Peer(id); p != nil {
		return p.Name
	}
	return id
}

// subjectName is "cluster orders" or "discovery prod".
func (r *Reader) subjectName(s Subject) string {
	if s.Kind == KindRefresh {
		if c := r.ClusterByID(s.ID); c != nil {
			return "cluster " + c.Name
		}
	} else if d := r.DiscoveryByID(s.ID); d != nil {
		return "discovery " + d.Name
	}
	return s.Kind.String() + " " + itoa(int(s.ID))
}
