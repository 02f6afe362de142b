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
	rows   subjects
	plain  plain
	packer packer
	node   Node // nodes and listings are packed at once, so that one after the other is read into the same row
	list   Listing
}

// gathered is a row that may not be whole yet.
type gathered struct {
	table string
	key   []byte
	row   any       // nil for none
	nodes *[]string // of the row
}

// blank is an empty row of a table to read into, and whether it only passes through.
func (l *loader) blank(t *stored) (row any, passing bool) {
	switch t.table {
	case tableNodes:
		labels, attributes := l.node.Endpoint.Labels, l.node.Said.Attributes
		clear(labels)
		clear(attributes)
		l.node = Node{Endpoint: Endpoint{Labels: labels}, Said: Said{Attributes: attributes}}
		return &l.node, true
	case tableListings:
		labels := l.list.Endpoint.Labels
		clear(labels)
		l.list = Listing{Endpoint: Endpoint{Labels: labels}}
		return &l.list, true
	}
	return t.blank(), false
}

// load reads a row and adds it.
func (l *loader) load(t *stored, raw []byte) error {
	row, passing := l.blank(t)
	l.plain = plain{in: raw, passing: passing}
	if !l.plain.read(t.read, row) {
		row, _ = l.blank(t)
		if err := decode(raw, row); err != nil {
			return err
		}
	}
	return l.add(t.table, row)
}

func (l *loader) add(table string, row any) error {
	switch v := row.(type) {
	case *Node:
		if r, ok := l.open.row.(*roster); !ok || r.cluster != v.Cluster {
			r = &roster{cluster: v.Cluster}
			if err := l.begin(gathered{table, num(v.Cluster), r, &r.nodes}); err != nil {
				return err
			}
		}
		return l.gather(packedBy(&l.packer, v, packNode))
	case *Listing:
		if r, ok := l.open.row.(*listings); !ok || r.cluster != v.Cluster || r.discovery != v.Discovery {
			r = &listings{cluster: v.Cluster, discovery: v.Discovery}
			if err := l.begin(gathered{table, listingsKey(v.Cluster, v.Discovery), r, &r.nodes}); err != nil {
				return err
			}
		}
		return l.gather(packedBy(&l.packer, v, packListing))
	case *eventRow:
		if table == tableEvents {
			return l.event(*v)
		}
	case *Claim:
		l.claims[v.Subject] = v
		return nil
	case *Schedule:
		l.rows.put(&subjectRow{schedule: v, open: l.claims[v.Subject]})
		delete(l.claims, v.Subject)
		return nil
	}
	return l.tx.Insert(table, row)
}

// event adds to the last page of events, or begins the next one. Nobody reads the page yet.
func (l *loader) event(e eventRow) error {
	if p := l.events; p != nil && p.number == e.Seq/pageSize {
		p.events = append(p.events, e)
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
	return errors.Join(l.turn(), l.flush(), l.tx.Insert(tableSubjects, &l.rows))
}

// begin writes the open row and opens the next.
func (l *loader) begin(next gathered) error {
	err := l.flush()
	l.open = next
	return err
}

// gather adds to the open row.
func (l *loader) gather(packed string) error {
	nodes := l.open.nodes
	if n := len(*nodes); n > 0 && keyOf((*nodes)[n-1]) >= keyOf(packed) {
		return fmt.Errorf("%s: %q is out of order", l.open.table, keyOf(packed))
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
