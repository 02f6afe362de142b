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

// append numbers a fact and appends it to the events, and to the audit table when an operator caused it.
func (tx *txn) append(cluster string, maintenance bool, cause Cause, f Fact) {
	tx.meta.Seq++
	e := Event{
		Seq: tx.meta.Seq, Time: tx.meta.Time, Cluster: cluster, Maintenance: maintenance, Cause: cause, Fact: f,
	}
	row := &eventRow{Seq: e.Seq, Time: e.Time, Raw: mustEncode(e)}
	tx.put(tableEvents, row)
	tx.meta.Bytes += int64(len(row.Raw))
	tx.applied.Events++
	if cause.Kind == CauseOperator {
		tx.insert(tableAudit, row)
		tx.meta.Audits++
	}
}

// schedule changes the schedule row of a subject, making it if need be.
func (tx *txn) schedule(s Subject, change func(*Schedule)) {
	row := Schedule{Subject: s}
	if old := tx.Schedule(s); old != nil {
		row = *old
	}
	change(&row)
	tx.insert(tableSchedules, &row)
	tx.touch(s)
}

// atOnce makes a subject due at once: now, or when its open claim closes.
func (tx *txn) atOnce(s Subject) {
	if c := tx.Claim(s); c != nil {
		again := *c
		again.Again = true
		tx.insert(tableClaims, &again)
		return
	}
	tx.schedule(s, func(row *Schedule) { row.AtOnce = true })
}

// grant opens a claim; the subject has none.
func (tx *txn) grant(c Claim) *Claim {
	c.Token, c.Granted = tx.index, tx.meta.Time
	tx.put(tableClaims, &c)
	tx.granted[c.Subject] = &c
	tx.schedule(c.Subject, func(row *Schedule) {
		switch c.Reason {
		case WhyConfirm:
			row.Confirm = 0
		case WhyNudge:
		default:
			row.AtOnce, row.Odd, row.Confirm = false, 0, 0
		}
	})
	return &c
}

// renew writes an open claim after an accepted part; its ttl starts anew.
func (tx *txn) renew(c *Claim) {
	tx.insert(tableClaims, c)
	tx.touch(c.Subject)
}

// close ends an open claim; what was asked for meanwhile makes the subject due at once.
func (tx *txn) close(c *Claim, change func(*Schedule)) {
	tx.end(c)
	tx.schedule(c.Subject, func(row *Schedule) {
		if change != nil {
			change(row)
		}
		row.AtOnce = row.AtOnce || c.Again
	})
}

// forget removes the schedule and the open claim of a subject that is gone.
func (tx *txn) forget(s Subject) {
	if c := tx.Claim(s); c != nil {
		tx.end(c)
	}
	if row := tx.Schedule(s); row != nil {
		tx.remove(tableSchedules, row)
	}
	tx.touch(s)
}

// end takes an open claim's row away.
func (tx *txn) end(c *Claim) {
	tx.drop(tableClaims, c)
	tx.applied.Closed = append(tx.applied.Closed, c)
	if c.Token == tx.index {
		delete(tx.granted, c.Subject)
		tx.spent[c.Subject] = true
	}
}
