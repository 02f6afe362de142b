package fsm

import "github.com/hashicorp/go-memdb"

// The tables of the state. Keys are bytes in sort order; strings inside a compound key end in a zero byte, which no name
// holds.
const (
	tableMeta        = "meta"
	tableIndex       = "index"
	tableDiscoveries = "discoveries"
	tableClusters    = "clusters"
	tableNodes       = "nodes"
	tableListings    = "listings"
	tableSubjects    = "subjects"
	tablePeers       = "peers"
	tableSettings    = "settings"
	tableEvents      = "events"
	tableAudit       = "audit"
	tableTokens      = "tokens"
)

const (
	byID        = "id"
	byName      = "name"
	byDiscovery = "discovery"
	byHash      = "hash"
)

// indexClaims is the index row of the open claims, which have no table of their own.
const indexClaims = "claims"

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
		table(tableSubjects, func(*subjects) []byte { return nil0 }),
		table(tablePeers, func(p *Peer) []byte { return []byte(p.ID) }),
		table(tableSettings, func(*Settings) []byte { return nil0 }),
		table(tableEvents, func(p *page) []byte { return num(p.number) }),
		table(tableAudit, func(e *eventRow) []byte { return num(e.Seq) }),
		table(tableTokens, func(t *Token) []byte { return []byte(t.Accessor) },
			also(byHash, func(t *Token) []byte { return t.Hash })),
	}
	s := &memdb.DBSchema{Tables: map[string]*memdb.TableSchema{}}
	for _, t := range tables {
		s.Tables[t.Name] = t
	}
	return s
}

// nil0 is the key of a table's only row.
var nil0 = []byte{0}

// num is a number as a key: a byte for each half byte, since the tree under a table copies the whole node of each level it
// writes through, and one with 256 children is 4 KiB.
func num(n uint64) []byte { return appendNum(make([]byte, 0, 17), n) }

func appendNum(key []byte, n uint64) []byte {
	for shift := 60; shift >= 0; shift -= 4 {
		key = append(key, byte(n>>shift&15))
	}
	return key
}
