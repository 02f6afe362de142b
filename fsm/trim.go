package fsm

const (
	trimOver = 10  // percent over a limit before trimming starts
	trimBite = 500 // events of one entry: to take away thousands at once costs the state ten times as much for each
)

// Excess is the command that brings the events back within their limits, nil while none is over by a tenth.
func (r *Reader) Excess(now Time) *EventsTrim {
	m, keep := r.Meta(), r.Settings().Retention
	first := m.First
	over := func(n, limit int64) bool { return n > limit+limit*trimOver/100 }
	if over(int64(m.Seq+1-m.First), int64(keep.Events)) {
		first = max(first, m.Seq+1-uint64(keep.Events))
	}
	if over(m.Bytes, keep.Bytes) {
		first = max(first, r.EventsBeyond(keep.Bytes))
	}
	if old := now.Add(-keep.Age - keep.Age*trimOver/100); r.EventsSince(old)+1 > m.First {
		first = max(first, r.EventsSince(now.Add(-keep.Age))+1)
	}
	audit := 0
	if over(int64(m.Audits), int64(keep.Audit)) {
		audit = keep.Audit
	}
	if first == m.First && audit == 0 {
		return nil
	}
	return &EventsTrim{First: first, Audit: audit}
}

// Bite is as much of the trimming as one entry should do, so that none holds up the state for long; nil when all is done.
func (c *EventsTrim) Bite(m *Meta) *EventsTrim {
	bite := &EventsTrim{First: min(c.First, m.First+trimBite)}
	if c.Audit > 0 {
		bite.Audit = max(c.Audit, m.Audits-trimBite)
	}
	if bite.First <= m.First && (bite.Audit == 0 || bite.Audit >= m.Audits) {
		return nil
	}
	return bite
}
