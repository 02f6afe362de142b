package fsm

import "github.com/hashicorp/go-memdb"

// txn is the write side of one entry: typed writes over memdb that keep the index rows and collect what the entry did.
// memdb's errors here can only be faults of the schema, so they panic.
type txn struct {
	Reader  // reads see the writes of this entry so far, save those of meta
	mem     *memdb.Txn
	meta    Meta   // written back by commit
	index   uint64 // of the entry
	bumped  map[string]bool
	touched map[Subject]bool
	granted map[Subject]*Claim
	spent   map[Subject]bool // claimed and closed by this entry: its token was given
	last    *page            // of the events, once this entry appended one
	applied *Applied
}

func newTxn(mem *memdb.Txn, index uint64, now Time) *txn {
	tx := &txn{
		mem: mem, Reader: Reader{txn: mem}, index: index,
		bumped: map[string]bool{}, touched: map[Subject]bool{}, granted: map[Subject]*Claim{}, spent: map[Subject]bool{},
		applied: &Applied{Index: index},
	}
	tx.meta = *tx.Reader.Meta()
	tx.meta.Time = max(tx.meta.Time, now)
	tx.meta.Index = index
	return tx
}

func (tx *txn) commit() *Applied {
	tx.insert(tableMeta, &tx.meta)
	if len(tx.touched) > 0 {
		tx.insert(tableSubjects, tx.subjects())
	}
	for _, name := range sortedKeys(tx.bumped) {
		tx.insert(tableIndex, &indexRow{Table: name, Index: tx.index})
	}
	tx.mem.Commit()
	a := tx.applied
	a.Time = tx.meta.Time
	for _, s := range sortedSubjects(tx.touched) {
		a.Touched = append(a.Touched, s)
		if c := tx.granted[s]; c != nil {
			a.Granted = append(a.Granted, c)
		}
	}
	return a
}

func (tx *txn) abort() { tx.mem.Abort() }

func (tx *txn) insert(table string, row any) {
	if err := tx.mem.Insert(table, row); err != nil {
		panic(err)
	}
}

func (tx *txn) remove(table string, row any) {
	if err := tx.mem.Delete(table, row); err != nil {
		panic(err)
	}
}

// put writes a row and moves its table's index.
func (tx *txn) put(table string, row any) {
	tx.insert(table, row)
	tx.bumped[table] = true
}

// drop removes a row and moves its table's index.
func (tx *txn) drop(table string, row any) {
	tx.remove(table, row)
	tx.bumped[table] = true
}

// touch marks a subject whose schedule, claim or settings changed.
func (tx *txn) touch(s Subject) { tx.touched[s] = true }

// now is the entry's logical time.
func (tx *txn) now() Time { return tx.meta.Time }

// append numbers a fact of no cluster and appends it to the events.
func (tx *txn) append(cause Cause, f Fact) {
	tx.appendWire("", false, cause, f.wire())
}

// appendWire appends a fact that is encoded already, and to the audit table too when an operator caused it.
func (tx *txn) appendWire(cluster string, maintenance bool, cause Cause, f wireFact) {
	tx.meta.Seq++
	row := eventRow{Seq: tx.meta.Seq, Time: tx.meta.Time}
	row.Raw = mustEncode(wireEvent{row.Seq, row.Time, cluster, maintenance, cause, f})
	tx.keepEvent(row)
	tx.applied.Events = append(tx.applied.Events, f.Type)
	if cause.Kind == CauseOperator {
		tx.insert(tableAudit, &row)
		tx.meta.Audits++
	}
}

// rewrite changes the row of a subject, making it if need be.
func (tx *txn) rewrite(s Subject, change func(*subjectRow)) {
	row := new(subjectRow)
	if old := tx.subject(s); old != nil {
		*row = *old
	} else {
		row.schedule = &Schedule{Subject: s}
	}
	change(row)
	tx.subjects().put(row)
	tx.touch(s)
}

// schedule changes the schedule of a subject, making it if need be.
func (tx *txn) schedule(s Subject, change func(*Schedule)) {
	tx.rewrite(s, func(row *subjectRow) { row.reschedule(change) })
}

func (r *subjectRow) reschedule(change func(*Schedule)) {
	next := *r.schedule
	change(&next)
	r.schedule = &next
}

// atOnce makes a subject due at once: now, or when its open claim closes.
func (tx *txn) atOnce(s Subject) {
	tx.rewrite(s, func(row *subjectRow) {
		if row.open == nil {
			row.reschedule(func(s *Schedule) { s.AtOnce = true })
			return
		}
		again := *row.open
		again.Again = true
		row.open = &again
	})
}

// grant opens a claim; the subject has none.
func (tx *txn) grant(c Claim) *Claim {
	c.Token, c.Granted = tx.index, tx.meta.Time
	tx.bumped[indexClaims] = true
	tx.granted[c.Subject] = &c
	tx.rewrite(c.Subject, func(row *subjectRow) {
		row.open = &c
		switch s := row.schedule; {
		case c.Reason == WhyConfirm:
			row.reschedule(func(s *Schedule) { s.Confirm = 0 })
		case c.Reason != WhyNudge && (s.AtOnce || s.Odd != 0 || s.Confirm != 0):
			row.reschedule(func(s *Schedule) { s.AtOnce, s.Odd, s.Confirm = false, 0, 0 })
		}
	})
	return &c
}

// renew writes an open claim after an accepted part; its ttl starts anew.
func (tx *txn) renew(c *Claim) {
	tx.rewrite(c.Subject, func(row *subjectRow) { row.open = c })
}

// close ends an open claim; what was asked for meanwhile makes the subject due at once.
func (tx *txn) close(c *Claim, change func(*Schedule)) {
	tx.ended(c)
	tx.rewrite(c.Subject, func(row *subjectRow) {
		row.open = nil
		row.reschedule(func(s *Schedule) {
			if change != nil {
				change(s)
			}
			s.AtOnce = s.AtOnce || c.Again
		})
	})
}

// forget removes the schedule and the open claim of a subject that is gone.
func (tx *txn) forget(s Subject) {
	if c := tx.Claim(s); c != nil {
		tx.ended(c)
	}
	tx.subjects().drop(s)
	tx.touch(s)
}

// ended notes that a claim is no longer open.
func (tx *txn) ended(c *Claim) {
	tx.bumped[indexClaims] = true
	tx.applied.Closed = append(tx.applied.Closed, c)
	if c.Token == tx.index {
		delete(tx.granted, c.Subject)
		tx.spent[c.Subject] = true
	}
}
