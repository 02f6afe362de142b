package fsm

import "slices"

// DiscoveryApply stores a discovery's setting as it was validated and makes it due now. Equal to what is stored it changes
// nothing, whatever CAS says.
type DiscoveryApply struct {
	Name  string  `cbor:"1,keyasint"`
	Spec  Spec    `cbor:"2,keyasint"`
	CAS   *uint64 `cbor:"3,keyasint,omitempty"`
	Cause Cause   `cbor:"4,keyasint"`
}

func (*DiscoveryApply) number() uint64 { return 10 }

func (c *DiscoveryApply) apply(tx *txn) Result {
	old := tx.Discovery(c.Name)
	switch {
	case old == nil:
		if err := casFails(c.CAS, 0); err != nil {
			return refuse(err)
		}
	case old.Deleting:
		return refuse(Errorf(CodeConflict, "discovery %q is being deleted; apply it again once it is gone", c.Name))
	case old.Spec.Equal(c.Spec):
		return Result{}
	default:
		if err := casFails(c.CAS, old.Index); err != nil {
			return refuse(err)
		}
	}
	d := &Discovery{Name: c.Name, Spec: c.Spec, Settings: tx.index, Index: tx.index}
	f := Fact{Type: DiscoveryApplied, After: &DiscoveryPart{Name: c.Name, Spec: c.Spec}}
	if old == nil {
		tx.meta.Discovery++
		d.ID = tx.meta.Discovery
	} else {
		d.ID, d.Failing, d.Held = old.ID, old.Failing, old.Held
		f.Before = &DiscoveryPart{Name: old.Name, Spec: old.Spec}
	}
	tx.put(tableDiscoveries, d)
	tx.append(c.Cause, f)
	tx.restart(d)
	if old != nil && c.Spec.Enabled && (!old.Spec.Enabled || tx.meta.Feature >= 2 && c.Spec.judgesApart(&old.Spec)) {
		tx.moveListed(d.ID)
	}
	return Result{Closed: true}
}

// judgesApart says whether a discovery with another spec may hold a node that it lists for gone at another time.
func (s *Spec) judgesApart(o *Spec) bool {
	return s.MissingAfter != o.MissingAfter || s.Interval != o.Interval
}

// moveListed gives the clusters that a discovery lists a new version. While it was disabled its listings kept no node from
// being missing, and with other settings they did so for another time: a run of another discovery that judged on that must
// judge again.
func (tx *txn) moveListed(discovery uint64) {
	for _, id := range slices.Collect(tx.ListedClusters(discovery)) {
		row := tx.ClusterByID(id)
		tx.move(id, row.Name, row)
	}
}

// restart closes the open claim of a discovery whose setting changed, makes it due now, and lets the schedules of its
// clusters be read again.
func (tx *txn) restart(d *Discovery) {
	s := Subject{KindRun, d.ID}
	if open := tx.Claim(s); open != nil {
		tx.close(open, nil)
	}
	tx.schedule(s, func(row *Schedule) { row.AtOnce = true })
	for cluster := range tx.ListedClusters(d.ID) {
		tx.touch(Subject{KindRefresh, cluster})
	}
}

// DiscoveryDelete marks a discovery as deleting: no more runs, but for the one that takes its records away.
type DiscoveryDelete struct {
	Name  string  `cbor:"1,keyasint"`
	CAS   *uint64 `cbor:"2,keyasint,omitempty"`
	Cause Cause   `cbor:"3,keyasint"`
}

func (*DiscoveryDelete) number() uint64 { return 11 }

func (c *DiscoveryDelete) apply(tx *txn) Result {
	old := tx.Discovery(c.Name)
	if old == nil || old.Deleting {
		return Result{}
	}
	if err := casFails(c.CAS, old.Index); err != nil {
		return refuse(err)
	}
	d := *old
	d.Deleting, d.Held, d.Settings, d.Index = true, nil, tx.index, tx.index
	tx.put(tableDiscoveries, &d)
	tx.append(c.Cause, Fact{Type: DiscoveryDeleted, Before: &DiscoveryPart{Name: old.Name, Spec: old.Spec}})
	tx.restart(&d)
	return Result{Closed: true}
}

// DiscoveryRelease lets the held set of that hash count as absent.
type DiscoveryRelease struct {
	Name  string `cbor:"1,keyasint"`
	Hash  string `cbor:"2,keyasint"`
	Cause Cause  `cbor:"3,keyasint"`
}

func (*DiscoveryRelease) number() uint64 { return 12 }

func (c *DiscoveryRelease) apply(tx *txn) Result {
	old := tx.Discovery(c.Name)
	switch {
	case old == nil:
		return refuse(Errorf(CodeNotFound, "there is no discovery %q", c.Name))
	case old.Held == nil:
		return refuse(Errorf(CodeConflict, "discovery %q holds nothing back", c.Name))
	case old.Held.Hash != c.Hash:
		return refuse(Errorf(CodeConflict, "the held set of %q is %s now, not %s: look at it again", c.Name, old.Held.Hash, c.Hash).
			With("held", old.Held.Hash))
	case old.Held.Released:
		return Result{}
	}
	d, held := *old, *old.Held
	held.Released = true
	d.Held, d.Index = &held, tx.index
	tx.put(tableDiscoveries, &d)
	tx.append(c.Cause, Fact{Type: DiscoveryReleased, Before: heldPart(c.Name, old.Held), After: nil})
	tx.atOnce(Subject{KindRun, d.ID})
	return Result{}
}

// heldPart tells a held set with the first hundred of its nodes.
func heldPart(name string, h *Held) Part {
	if h == nil {
		return nil
	}
	return &HeldPart{
		Name: name, Count: h.Count, Owned: h.Owned, Hash: h.Hash, Nodes: h.Nodes[:min(len(h.Nodes), 100)],
	}
}
