package fsm

import "slices"

// RunComplete reports one part of a run: what it found about some clusters, each judged alone. Parts are numbered from 0;
// clusters whose base has moved are named in the Result and sent again in a later part. The last part carries the outcome
// and closes the claim.
type RunComplete struct {
	Discovery  uint64      `cbor:"1,keyasint"`
	Settings   uint64      `cbor:"2,keyasint"` // Discovery.Settings it was computed from
	Token      uint64      `cbor:"3,keyasint"`
	Part       uint32      `cbor:"4,keyasint,omitempty"`
	Enrolments []Enrolment `cbor:"5,keyasint,omitempty"`
	Outcome    *RunOutcome `cbor:"6,keyasint,omitempty"` // with the last part
}

// RunOutcome is how a whole run went.
type RunOutcome struct {
	Took    Duration `cbor:"1,keyasint,omitempty"`
	Error   string   `cbor:"2,keyasint,omitempty"` // it failed and changed nothing
	Records int      `cbor:"3,keyasint,omitempty"`
	Hash    string   `cbor:"4,keyasint,omitempty"`
	Held    *Held    `cbor:"5,keyasint,omitempty"` // full reads: what is kept back after this run
	Changed bool     `cbor:"6,keyasint,omitempty"`
}

func (*RunComplete) number() uint64 { return 30 }

func (c *RunComplete) apply(tx *txn) Result {
	open, err := tx.held(Ticket{Subject{KindRun, c.Discovery}, c.Token})
	if err != nil {
		return refuse(err)
	}
	d := tx.DiscoveryByID(c.Discovery)
	switch {
	case d.Settings != c.Settings:
		return refuse(Errorf(CodeConflict, "discovery %q was applied anew", d.Name))
	case c.Part < open.Parts:
		return Result{Already: true, Claim: open}
	case c.Part > open.Parts:
		return refuse(Errorf(CodeConflict, "part %d comes before part %d", c.Part, open.Parts))
	}
	var res Result
	cause := Cause{Kind: CauseDiscovery, Token: c.Token, Peer: tx.peerName(open.Peer), Discovery: d.Name}
	for _, e := range c.Enrolments {
		if err := tx.enrol(d, e, cause); err != nil {
			res.Moved = append(res.Moved, Moved{e.Cluster, versionOf(tx, e.Cluster)})
		}
	}
	if c.Outcome != nil && c.Outcome.Error == "" && d.Deleting {
		res.Moved = append(res.Moved, tx.stillListed(d.ID)...)
	}
	if c.Outcome == nil || len(res.Moved) > 0 {
		next := *open
		next.Parts++
		tx.renew(&next)
		res.Claim = &next
		return res
	}
	c.finish(tx, d, open, cause)
	res.Closed = true
	return res
}

// stillListed names the clusters, a hundred at most, that a discovery about to go still has listings in: its row must outlive
// them.
func (tx *txn) stillListed(discovery uint64) (out []Moved) {
	for id := range tx.ListedClusters(discovery) {
		if len(out) == 100 {
			break
		}
		c := tx.ClusterByID(id)
		out = append(out, Moved{c.Name, c.Index})
	}
	return out
}

func versionOf(tx *txn, cluster string) uint64 {
	if row := tx.Cluster(cluster); row != nil {
		return row.Index
	}
	return 0
}

// enrol writes what a run found about one cluster, or refuses it whole.
func (tx *txn) enrol(d *Discovery, e Enrolment, cause Cause) error {
	j, err := tx.judge(Change{Cluster: e.ID, Name: e.Cluster, Base: e.Base, Facts: e.Facts})
	if err != nil {
		return err
	}
	id := e.ID
	switch {
	case len(e.Facts) > 0:
		id = tx.write(j, e.Cluster, cause)
	case j.row != nil:
		tx.move(id, j.row.Name, j.row)
	default:
		return nil
	}
	put := slices.DeleteFunc(slices.Clone(e.Put), func(l Listing) bool { return !tx.hasNode(id, l.Node) })
	tx.putListings(id, d.ID, put, e.Drop)
	return nil
}

// finish closes the run with its outcome; the run of a deleted discovery takes its row along.
func (c *RunComplete) finish(tx *txn, d *Discovery, open *Claim, cause Cause) {
	o := c.Outcome
	if d.Deleting && o.Error == "" {
		tx.drop(tableDiscoveries, d)
		tx.forget(open.Subject)
		return
	}
	next := *d
	tx.tellOutcome(&next, open, o, cause)
	if next.Failing != d.Failing || next.Held != d.Held {
		next.Index = tx.index
		tx.put(tableDiscoveries, &next)
	}
	tx.close(open, func(s *Schedule) {
		s.ended(open, o.work(), tx.meta.Feature)
		if !open.Full() {
			return
		}
		s.Done = tx.now()
		if o.Error == "" {
			s.Observed = open.Granted
		}
	})
}

// work is how the run went.
func (o *RunOutcome) work() Work {
	w := Work{Took: o.Took, Outcome: OutcomeUnchanged, Error: o.Error, Records: o.Records, Hash: o.Hash}
	switch {
	case o.Error != "":
		w.Outcome = OutcomeFailed
	case o.Held != nil && !o.Held.Released:
		w.Outcome = OutcomeHeld
	case o.Changed:
		w.Outcome = OutcomeChanged
	}
	return w
}

// tellOutcome moves what the discovery's row says of its runs, with the events for it. A nudged run is neither a good nor a
// failed read.
func (tx *txn) tellOutcome(d *Discovery, open *Claim, o *RunOutcome, cause Cause) {
	if !open.Full() {
		return
	}
	switch {
	case o.Error != "" && d.Failing == "":
		d.Failing = o.Error
		tx.append(cause, Fact{Type: DiscoveryFailed, After: &RunPart{Name: d.Name, Error: o.Error}})
	case o.Error == "" && d.Failing != "":
		tx.append(cause, Fact{Type: DiscoveryRecovered, Before: &RunPart{Name: d.Name, Error: d.Failing}})
		d.Failing = ""
	}
	before, after := d.Held, o.Held
	if before != nil && after != nil && before.Hash == after.Hash && before.Released {
		after = before // an operator released it while the run was open
	}
	if o.Error != "" || string(mustEncode(before)) == string(mustEncode(after)) {
		return
	}
	d.Held = after
	switch {
	case after != nil && !after.Released && (before == nil || before.Hash != after.Hash || before.Released):
		tx.append(cause, Fact{Type: DiscoveryHeld, Before: heldPart(d.Name, before), After: heldPart(d.Name, after)})
	case after == nil && !before.Released:
		tx.append(cause, Fact{Type: DiscoveryReleased, Before: heldPart(d.Name, before)})
	}
}
