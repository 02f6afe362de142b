package fsm

import (
	"encoding/binary"

	"github.com/hashicorp/go-memdb"
)

// The tables of the state. Keys are bytes in sort order; strings inside a compound key end in a zero byte, which no name
// holds.
const (
	tableMeta        = "meta"
	tableIndex       = "index"
	tableDiscoveries = "discoveries"
	tableClusters    = "clusters"
	tableNodes       = "nodes"
	tableListings    = "listings"
	tableClaims      = "claims"
	tableSchedules   = "schedules"
	tablePeers       = "peers"
	tableSettings    = "settings"
	tableEvents      = "events"
	tableAudit       = "audit"
)

const (
	byID        = "id"
	byName      = "name"
	byDiscovery = "discovery"
	byPeer      = "peer"
)

// key is a memdb index over rows of one type whose arguments are ready-made key bytes.
type key[T any] func(*T) []byte

func (k key[T]) FromObject(row any) (bool, []byte, error) { return true, k(row.(*T)), nil }
func (key[T]) FromArgs(args ...any) ([]byte, error)       { return args[0].([]byte), nil }
func (key[T]) PrefixFromArgs(args ...any) ([]byte, error) { return args[0].([]byte), nil }

func table[T any](name string, id key[T], more ...*memdb.IndexSchema) *memdb.TableSchema {
	t := &memdb.TableSchema{Name: name, Indexes: map[string]*memdb.IndexSchema{
		byID: {Name: byID, Unique: true, Indexer: id},
	}}
	for _, ix := range more {
		t.Indexes[ix.Name] = ix
	}
	return t
}

func also[T any](name string, k key[T]) *memdb.IndexSchema {
	return &memdb.IndexSchema{Name: name, Unique: true, Indexer: k}
}

// indexRow keeps the raft index of the last change of one table.
type indexRow struct {
	Table string `cbor:"1,keyasint"`
	Index uint64 `cbor:"2,keyasint"`
}

// eventRow is an event as it is kept: encoded, since most are never read.
type eventRow struct {
	Seq  uint64
	Time Time
	Raw  []byte
}

func schema() *memdb.DBSchema {
	tables := []*memdb.TableSchema{
		table(tableMeta, func(*Meta) []byte { return nil0 }),
		table(tableIndex, func(r *indexRow) []byte { return []byte(r.Table) }),
		table(tableDiscoveries, func(d *Discovery) []byte { return []byte(d.Name) },
			also(byDiscovery, func(d *Discovery) []byte { return num(d.ID) })),
		table(tableClusters, func(c *Cluster) []byte { return num(c.ID) },
			also(byName, func(c *Cluster) []byte { return []byte(c.Name) })),
		table(tableNodes, func(r *roster) []byte { return num(r.cluster) }),
		table(tableListings, func(l *listings) []byte { return listingsKey(l.cluster, l.discovery) },
			also(byDiscovery, func(l *listings) []byte { return listingsKey(l.discovery, l.cluster) })),
		table(tableClaims, func(c *Claim) []byte { return subjectKey(c.Subject) },
			also(byPeer, func(c *Claim) []byte { return append(text(c.Peer), subjectKey(c.Subject)...) })),
		table(tableSchedules, func(s *Schedule) []byte { return subjectKey(s.Subject) }),
		table(tablePeers, func(p *Peer) []byte { return []byte(p.ID) }),
		table(tableSettings, func(*Settings) []byte { return nil0 }),
		table(tableEvents, func(e *eventRow) []byte { return num(e.Seq) }),
		table(tableAudit, func(e *eventRow) []byte { return num(e.Seq) }),
	}
	s := &memdb.DBSchema{Tables: map[string]*memdb.TableSchema{}}
	for _, t := range tables {
		s.Tables[t.Name] = t
	}
	return s
}

// nil0 is the key of a table's only row.
var nil0 = []byte{0}

func num(n uint64) []byte { return binary.BigEndian.AppendUint64(make([]byte, 0, 16), n) }

func text(s string) []byte { return append(append(make([]byte, 0, len(s)+16), s...), 0) }

func subjectKey(s Subject) []byte {
	return binary.BigEndian.AppendUint64([]byte{byte(s.Kind)}, s.ID)
}
