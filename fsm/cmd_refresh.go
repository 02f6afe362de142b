package fsm

import "slices"

// RefreshComplete reports one part of a refresh. Parts are numbered from 0 and judged one by one; the last closes the claim.
type RefreshComplete struct {
	Cluster   uint64   `cbor:"1,keyasint"`
	Token     uint64   `cbor:"2,keyasint"`
	Part      uint32   `cbor:"3,keyasint,omitempty"`
	Last      bool     `cbor:"4,keyasint,omitempty"`
	Base      uint64   `cbor:"5,keyasint"`
	Facts     []Fact   `cbor:"6,keyasint,omitempty"`
	Notes     *Notes   `cbor:"7,keyasint,omitempty"` // the notes after the round; with the last part
	Took      Duration `cbor:"8,keyasint,omitempty"`
	Error     string   `cbor:"9,keyasint,omitempty"`  // the refresh failed: no node changes
	ConfirmIn Duration `cbor:"10,keyasint,omitempty"` // failed nodes are to be asked by another peer
	OddIn     Duration `cbor:"11,keyasint,omitempty"` // a first odd round is to be looked at again
	Again     bool     `cbor:"12,keyasint,omitempty"` // it was computed again on a moved base
}

func (*RefreshComplete) number() uint64 { return 31 }

func (c *RefreshComplete) apply(tx *txn) Result {
	subject := Subject{KindRefresh, c.Cluster}
	open, err := tx.held(Ticket{subject, c.Token})
	if err != nil {
		return refuse(err)
	}
	switch {
	case c.Part < open.Parts:
		return Result{Already: true, Claim: open}
	case c.Part > open.Parts:
		return refuse(Errorf(CodeConflict, "part %d comes before part %d", c.Part, open.Parts))
	}
	j, err := tx.judge(Change{Cluster: c.Cluster, Base: c.Base, Facts: c.Facts})
	if err != nil {
		return refuse(err)
	}
	if j.view.Cluster == nil {
		return refuse(Errorf(CodeInvalid, "a refresh takes no cluster away"))
	}
	if len(c.Facts) > 0 {
		tx.write(j, "", Cause{Kind: CauseRefresh, Token: c.Token, Peer: tx.peerName(open.Peer)})
	}
	if !c.Last {
		next := *tx.Claim(subject)
		next.Parts++
		next.Base = tx.ClusterByID(c.Cluster).Index
		tx.renew(&next)
		return Result{Claim: &next}
	}
	tx.close(tx.Claim(subject), func(s *Schedule) { c.record(tx, open, s) })
	return Result{Closed: true}
}

// record writes what the round leaves beside the view.
func (c *RefreshComplete) record(tx *txn, open *Claim, s *Schedule) {
	w := Work{Took: c.Took, Outcome: OutcomeChanged, Error: c.Error}
	switch {
	case c.Error != "":
		w.Outcome = OutcomeFailed
	case len(c.Facts) == 0 && c.Part == 0:
		w.Outcome = OutcomeUnchanged
	}
	s.ended(open, w, tx.meta.Feature)
	if c.Error == "" {
		s.Notes = c.Notes
		if s.Notes.IsZero() {
			s.Notes = nil
		}
	}
	if open.Full() {
		s.Done = tx.now()
		if c.Error == "" {
			s.Observed = open.Granted
		}
	}
	s.Confirm = 0
	if c.ConfirmIn > 0 {
		s.Confirm = tx.now().Add(c.ConfirmIn)
	}
	if c.OddIn > 0 {
		s.Odd = tx.now().Add(c.OddIn)
	}
	s.AtOnce = s.AtOnce || c.Again
}

// RefreshUnchanged closes claims whose rounds would change no event and no note: a beat's worth of them, as numbers. AsOf is
// the index of the replica they were compared with: a cluster that has moved past it is due at once again.
type RefreshUnchanged struct {
	AsOf   uint64      `cbor:"1,keyasint"`
	Groups []Unchanged `cbor:"2,keyasint"`
}

// Unchanged is the clusters of one token, with how long each took in milliseconds.
type Unchanged struct {
	Token    uint64   `cbor:"1,keyasint"`
	Clusters []uint64 `cbor:"2,keyasint"`
	Took     []uint32 `cbor:"3,keyasint"`
}

func (*RefreshUnchanged) number() uint64 { return 32 }

func (c *RefreshUnchanged) apply(tx *txn) Result {
	for _, g := range c.Groups {
		for i, id := range g.Clusters {
			open, err := tx.held(Ticket{Subject{KindRefresh, id}, g.Token})
			if err != nil {
				continue
			}
			took := Duration(0)
			if i < len(g.Took) {
				took = Duration(g.Took[i])
			}
			c.close(tx, open, took)
		}
	}
	return Result{}
}

func (c *RefreshUnchanged) close(tx *txn, open *Claim, took Duration) {
	moved := tx.ClusterByID(open.Subject.ID).Index > c.AsOf
	tx.close(open, func(s *Schedule) {
		s.ended(open, Work{Took: took, Outcome: OutcomeUnchanged}, tx.meta.Feature)
		if moved {
			s.AtOnce = true
			return
		}
		if open.Full() {
			s.Done, s.Observed = tx.now(), open.Granted
		}
	})
}

// Add puts a cluster into the group of its token.
func (c *RefreshUnchanged) Add(cluster, token uint64, took Duration) {
	ms := uint32(min(max(took, 0), 1<<31))
	i, ok := slices.BinarySearchFunc(c.Groups, token, func(g Unchanged, t uint64) int {
		switch {
		case g.Token < t:
			return -1
		case g.Token > t:
			return 1
		}
		return 0
	})
	if !ok {
		c.Groups = slices.Insert(c.Groups, i, Unchanged{Token: token})
	}
	g := &c.Groups[i]
	g.Clusters, g.Took = append(g.Clusters, cluster), append(g.Took, ms)
}
