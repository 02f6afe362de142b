package fsm

import (
	"errors"
	"fmt"
	"slices"

	"github.com/hashicorp/go-memdb"
)

// loader writes the rows of a snapshot into an empty database. Nodes, listings and events travel one by one in the order of
// their keys; it gathers them into the rows they are kept in. Claims come before the schedules, beside which it puts them.
type loader struct {
	tx     *memdb.Txn
	open   gathered
	events *page
	claims map[Subject]*Claim
}

// gathered is a row that may not be whole yet.
type gathered struct {
	table string
	key   []byte
	row   any       // nil for none
	nodes *[]string // of the row
}

func (l *loader) add(table string, row any) error {
	switch v := row.(type) {
	case *Node:
		r := &roster{cluster: v.Cluster}
		return l.gather(gathered{table, num(v.Cluster), r, &r.nodes}, packed(v, packNode))
	case *Listing:
		r := &listings{cluster: v.Cluster, discovery: v.Discovery}
		return l.gather(gathered{table, listingsKey(v.Cluster, v.Discovery), r, &r.nodes}, packed(v, packListing))
	case *eventRow:
		if table == tableEvents {
			return l.event(*v)
		}
	case *Claim:
		l.claims[v.Subject] = v
		return nil
	case *Schedule:
		whole := &subjectRow{schedule: v, open: l.claims[v.Subject]}
		delete(l.claims, v.Subject)
		return l.tx.Insert(table, whole)
	}
	return l.tx.Insert(table, row)
}

// event adds to the last page of events, or begins the next one.
func (l *loader) event(e eventRow) error {
	if p := l.events; p != nil && p.number == e.Seq/pageSize {
		l.events = p.with(e)
		return nil
	}
	err := l.turn()
	l.events = (*page)(nil).with(e)
	return err
}

// turn writes the last page of events.
func (l *loader) turn() error {
	if l.events == nil {
		return nil
	}
	return l.tx.Insert(tableEvents, l.events)
}

// finish writes what is not written yet.
func (l *loader) finish() error {
	for s := range l.claims {
		return fmt.Errorf("claim of %s %d, which is not there", s.Kind, s.ID)
	}
	return errors.Join(l.turn(), l.flush())
}

// gather adds to the open row when next is the same one, and else begins it.
func (l *loader) gather(next gathered, packed string) error {
	if l.open.row == nil || l.open.table != next.table || string(l.open.key) != string(next.key) {
		if err := l.flush(); err != nil {
			return err
		}
		l.open = next
	}
	nodes := l.open.nodes
	if n := len(*nodes); n > 0 && keyOf((*nodes)[n-1]) >= keyOf(packed) {
		return fmt.Errorf("%s: %q is out of order", next.table, keyOf(packed))
	}
	*nodes = append(*nodes, packed)
	return nil
}

// flush writes the open row.
func (l *loader) flush() error {
	row := l.open.row
	if row == nil {
		return nil
	}
	switch there, err := l.tx.First(l.open.table, byID, l.open.key); {
	case err != nil:
		return err
	case there != nil:
		return fmt.Errorf("%s: what belongs together stands in two places", l.open.table)
	}
	*l.open.nodes = slices.Clip(*l.open.nodes)
	if list, ok := row.(*listings); ok {
		list.settle()
	}
	l.open.row = nil
	return l.tx.Insert(l.open.table, row)
}
