package fsm

import (
	"iter"
	"math"
	"slices"
)

// eventRow is an event as it is kept: encoded, since most are never read.
type eventRow struct {
	Seq  uint64
	Time Time
	Raw  []byte
}

// page is a row of the events: up to pageSize that follow each other, all with the number Seq / pageSize. What the database
// adds to a row is as much as an event. The first page may hold events that were trimmed already, before Meta.First.
type page struct {
	number uint64
	events []eventRow
}

const pageSize = 64

// with is p with one more event. The array is shared with the pages before it, which end earlier and never look there; only
// the one goroutine that applies calls it, on the last page alone.
func (p *page) with(e eventRow) *page {
	if p == nil {
		return &page{number: e.Seq / pageSize, events: append(make([]eventRow, 0, pageSize-e.Seq%pageSize), e)}
	}
	return &page{number: p.number, events: append(p.events, e)}
}

// page is the row in which an event is, or would be; nil when there is none.
func (r *Reader) page(seq uint64) *page { return row[page](r, tableEvents, byID, num(seq/pageSize)) }

// eventRow is the event of that seq, which must be kept.
func (r *Reader) eventRow(seq uint64) *eventRow {
	p := r.page(seq)
	return &p.events[seq-p.events[0].Seq]
}

// eventRows yields the kept events from a seq on.
func (r *Reader) eventRows(seq uint64) iter.Seq[*eventRow] {
	seq = max(seq, r.Meta().First)
	return func(yield func(*eventRow) bool) {
		for p := range from[page](r, tableEvents, byID, num(seq/pageSize)) {
			for i := range p.events {
				if e := &p.events[i]; e.Seq >= seq && !yield(e) {
					return
				}
			}
		}
	}
}

// eventsBack yields the kept events up to a seq and after another one, the last one first.
func (r *Reader) eventsBack(upTo, after uint64) iter.Seq[*eventRow] {
	return func(yield func(*eventRow) bool) {
		for p := range back[page](r, tableEvents, num(upTo/pageSize)) {
			for _, e := range slices.Backward(p.events) {
				switch {
				case e.Seq > upTo:
				case e.Seq <= after || !yield(&e):
					return
				}
			}
		}
	}
}

// Events yields the kept events after a seq.
func (r *Reader) Events(after uint64) iter.Seq[*Event] {
	if after == math.MaxUint64 {
		return func(func(*Event) bool) {}
	}
	return decoded(r.eventRows(after + 1))
}

// Audit yields the kept events of operators after a seq.
func (r *Reader) Audit(after uint64) iter.Seq[*Event] {
	if after == math.MaxUint64 {
		return func(func(*Event) bool) {}
	}
	return decoded(from[eventRow](r, tableAudit, byID, num(after+1)))
}

// EventsBack yields the kept events up to a seq, the last one first.
func (r *Reader) EventsBack(upTo uint64) iter.Seq[*Event] {
	return decoded(r.eventsBack(upTo, r.Meta().First-1))
}

// AuditBack yields the kept events of operators up to a seq, the last one first.
func (r *Reader) AuditBack(upTo uint64) iter.Seq[*Event] {
	return decoded(back[eventRow](r, tableAudit, num(upTo)))
}

func decoded(rows iter.Seq[*eventRow]) iter.Seq[*Event] {
	return func(yield func(*Event) bool) {
		for row := range rows {
			e := new(Event)
			if err := decode(row.Raw, e); err != nil {
				panic(err) // it was encoded here and checked when it came
			}
			if !yield(e) {
				return
			}
		}
	}
}

// EventsSince is the seq before the first kept event not older than a time.
func (r *Reader) EventsSince(at Time) uint64 {
	m := r.Meta()
	lo, hi := m.First, m.Seq+1
	for lo < hi {
		mid := lo + (hi-lo)/2
		if r.eventRow(mid).Time < at {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo - 1
}

// EventsBeyond is the seq of the first event that may stay when the kept ones are to take at most so many bytes.
func (r *Reader) EventsBeyond(bytes int64) uint64 {
	m := r.Meta()
	excess, first := m.Bytes-bytes, m.First
	for e := range r.eventRows(m.First) {
		if excess <= 0 {
			break
		}
		excess -= int64(len(e.Raw))
		first = e.Seq + 1
	}
	return first
}

// keepEvent appends an event; its seq is the next one. A page that this entry put into the database is not put there again:
// nobody else reads it before the commit.
func (tx *txn) keepEvent(e eventRow) {
	tx.meta.Bytes += int64(len(e.Raw))
	if tx.last != nil && tx.last.number == e.Seq/pageSize {
		tx.last.events = append(tx.last.events, e)
		return
	}
	tx.last = tx.page(e.Seq).with(e)
	tx.put(tableEvents, tx.last)
}

// dropEvents takes the events before a seq away, but for none that is still to come.
func (tx *txn) dropEvents(first uint64) {
	m := &tx.meta
	for m.First < first && m.First <= m.Seq {
		p := tx.page(m.First)
		for ; m.First < first && m.First <= m.Seq && m.First/pageSize == p.number; m.First++ {
			m.Bytes -= int64(len(p.events[m.First-p.events[0].Seq].Raw))
		}
		if m.First/pageSize != p.number {
			tx.remove(tableEvents, p)
		}
	}
}
