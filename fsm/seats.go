package fsm

import "bytes"

// Facts about who leads shards come in numbers: a cluster with thousands of shards names all their primaries in its first
// round. Folded one by one each would copy the whole list; here a run of them, each of another shard, copies it once.

// aboutSeat says whether a type of fact is about who leads a shard.
func aboutSeat(t EventType) bool {
	switch t {
	case ShardPrimaryChanged, ShardPrimaryLost, ShardPrimaryRestored, ShardPrimaryDuplicate:
		return true
	}
	return false
}

// seatsAhead is how many of the first facts are about who leads shards, in their order and each of another one.
func seatsAhead(facts []Fact) int {
	n := 0
	for n < len(facts) && aboutSeat(facts[n].Type) && (n == 0 || facts[n-1].Shard < facts[n].Shard) {
		n++
	}
	return n
}

// foldSeats folds a run of facts as Fold would one by one. It says false, and leaves the view as it was, where Fold would
// refuse one.
func foldSeats(v *View, run []Fact) bool {
	after := make([][]byte, len(run))
	for i := range run {
		f := &run[i]
		l := lenses[f.Type]
		before := partBytes(f.Before)
		after[i] = partBytes(f.After)
		if l.aimed(v, f) != nil || !bytes.Equal(before, partBytes(l.get(v, f))) || bytes.Equal(before, after[i]) {
			return false
		}
		if _, ok := f.After.(*PrimaryPart); f.After != nil && !ok {
			return false
		}
	}
	next := *v
	row := *v.Cluster
	row.Primaries = seated(row.Primaries, run)
	next.Cluster = &row
	for i := range run {
		if !bytes.Equal(after[i], partBytes(lenses[run[i].Type].get(&next, &run[i]))) {
			return false
		}
	}
	v.Cluster = &row
	return true
}

// seated is a copy of the primaries with those of a run of facts in their places; both are sorted by shard.
func seated(rows []Primary, run []Fact) []Primary {
	out := make([]Primary, 0, len(rows)+len(run))
	for _, f := range run {
		for len(rows) > 0 && rows[0].Shard < f.Shard {
			out, rows = append(out, rows[0]), rows[1:]
		}
		if len(rows) > 0 && rows[0].Shard == f.Shard {
			rows = rows[1:]
		}
		if p, _ := f.After.(*PrimaryPart); p != nil {
			out = append(out, p.row(f.Shard))
		}
	}
	if out = append(out, rows...); len(out) == 0 {
		return nil
	}
	return out
}

// row is the row that a fact about who leads a shard leaves.
func (p *PrimaryPart) row(shard string) Primary {
	return Primary{Shard: shard, Node: p.Primary, State: p.State, Nodes: p.Nodes, Since: p.Since}
}

// tellSeat makes a fact about who leads a shard. Those of a round come by shard and are folded together when all are told.
func (d *diff) tellSeat(t EventType, shard string, after *PrimaryPart) {
	f := Fact{Type: t, Shard: shard}
	if after != nil {
		f.After = after
	}
	f.Before = lenses[t].get(d.view, &f)
	d.seats = append(d.seats, f)
}

// seatAll folds the facts about who leads.
func (d *diff) seatAll() {
	if len(d.seats) == 0 {
		return
	}
	if !d.own {
		d.view, d.own = d.view.Clone(), true
	}
	row := *d.view.Cluster
	row.Primaries = seated(row.Primaries, d.seats)
	d.view.Cluster = &row
	d.facts = append(d.facts, d.seats...)
}
