package fsm

import (
	"cmp"
	"iter"
	"slices"

	"github.com/hashicorp/go-memdb"
)

// Reader reads one state, as it stood when Read made it. What it returns is shared and read-only. It is for one goroutine.
type Reader struct {
	txn       *memdb.Txn
	abandoned chan struct{}
	copied    *subjects // nil before it was asked for
}

// row is the row of that key, nil when there is none.
func row[T any](r *Reader, table, index string, key []byte) *T {
	raw, err := r.txn.First(table, index, key)
	if err != nil {
		panic(err) // a fault of the schema
	}
	if raw == nil {
		return nil
	}
	return raw.(*T)
}

// scan yields the rows whose key begins with prefix, in order.
func scan[T any](r *Reader, table, index string, prefix []byte) iter.Seq[*T] {
	return func(yield func(*T) bool) {
		it, err := r.txn.Get(table, index+"_prefix", prefix)
		if err != nil {
			panic(err)
		}
		for raw := it.Next(); raw != nil; raw = it.Next() {
			if !yield(raw.(*T)) {
				return
			}
		}
	}
}

// from yields the rows whose key is at least key, in order.
func from[T any](r *Reader, table, index string, key []byte) iter.Seq[*T] {
	return func(yield func(*T) bool) {
		it, err := r.txn.LowerBound(table, index, key)
		if err != nil {
			panic(err)
		}
		for raw := it.Next(); raw != nil; raw = it.Next() {
			if !yield(raw.(*T)) {
				return
			}
		}
	}
}

// back yields the rows up to a key of the id index, the last one first.
func back[T any](r *Reader, table string, key []byte) iter.Seq[*T] {
	return func(yield func(*T) bool) {
		it, err := r.txn.ReverseLowerBound(table, byID, key)
		if err != nil {
			panic(err) // a fault of the schema
		}
		for raw := it.Next(); raw != nil; raw = it.Next() {
			if !yield(raw.(*T)) {
				return
			}
		}
	}
}

// Meta is what the state knows of itself.
func (r *Reader) Meta() *Meta { return row[Meta](r, tableMeta, byID, nil0) }

// Settings are the group's.
func (r *Reader) Settings() *Settings { return row[Settings](r, tableSettings, byID, nil0) }

// Discovery is the discovery of that name, or nil.
func (r *Reader) Discovery(name string) *Discovery {
	return row[Discovery](r, tableDiscoveries, byID, []byte(name))
}

// DiscoveryByID is the discovery of that id, or nil.
func (r *Reader) DiscoveryByID(id uint64) *Discovery {
	return row[Discovery](r, tableDiscoveries, byDiscovery, num(id))
}

// Discoveries yields all, by name from after (exclusive).
func (r *Reader) Discoveries(after string) iter.Seq[*Discovery] {
	return from[Discovery](r, tableDiscoveries, byID, past(after))
}

// Cluster is the cluster of that name, or nil.
func (r *Reader) Cluster(name string) *Cluster {
	return row[Cluster](r, tableClusters, byName, []byte(name))
}

// ClusterByID is the cluster of that id, or nil.
func (r *Reader) ClusterByID(id uint64) *Cluster {
	return row[Cluster](r, tableClusters, byID, num(id))
}

// Clusters yields all, by name from after (exclusive).
func (r *Reader) Clusters(after string) iter.Seq[*Cluster] {
	return from[Cluster](r, tableClusters, byName, past(after))
}

// View is the agreed picture of a cluster; its Cluster is nil when there is none of that id.
func (r *Reader) View(cluster uint64) *View {
	v := &View{Cluster: r.ClusterByID(cluster), Nodes: map[string]*Node{}}
	for n := range r.Nodes(cluster) {
		v.Nodes[n.ID] = n
	}
	return v
}

// subjects are those the reader sees, in a copy of its own.
func (r *Reader) subjects() *subjects {
	if r.copied == nil {
		r.copied = row[subjects](r, tableSubjects, byID, nil0).copy()
	}
	return r.copied
}

// subject is the row of a subject, or nil.
func (r *Reader) subject(s Subject) *subjectRow {
	return r.subjects().row(s)
}

// Claim is the open claim of a subject, or nil.
func (r *Reader) Claim(s Subject) *Claim {
	if row := r.subject(s); row != nil {
		return row.open
	}
	return nil
}

// Claims yields all open claims. It looks through all subjects.
func (r *Reader) Claims() iter.Seq[*Claim] {
	return func(yield func(*Claim) bool) {
		for row := range r.subjects().all() {
			if row.open != nil && !yield(row.open) {
				return
			}
		}
	}
}

// ClaimsOf yields the open claims a peer holds. It looks through all subjects.
func (r *Reader) ClaimsOf(peer string) iter.Seq[*Claim] {
	return func(yield func(*Claim) bool) {
		for c := range r.Claims() {
			if c.Peer == peer && !yield(c) {
				return
			}
		}
	}
}

// Schedule is the schedule of a subject, or nil when there is no such subject.
func (r *Reader) Schedule(s Subject) *Schedule {
	if row := r.subject(s); row != nil {
		return row.schedule
	}
	return nil
}

// Schedules yields all.
func (r *Reader) Schedules() iter.Seq[*Schedule] {
	return func(yield func(*Schedule) bool) {
		for row := range r.subjects().all() {
			if !yield(row.schedule) {
				return
			}
		}
	}
}

// Peer is the peer of that id, or nil.
func (r *Reader) Peer(id string) *Peer { return row[Peer](r, tablePeers, byID, []byte(id)) }

// Peers yields all by id.
func (r *Reader) Peers() iter.Seq[*Peer] { return scan[Peer](r, tablePeers, byID, nil) }

// RefreshOf is how a cluster is refreshed: the settings of the oldest discovery that lists any of its nodes now (or listed
// them last), with the cluster's own over them. A cluster that no discovery lists any more is refreshed only if its own
// settings name a prober: guessing one would call healthy nodes dead.
func (r *Reader) RefreshOf(c *Cluster) RefreshSpec {
	spec := DefaultRefresh()
	if d := r.discoveryOf(c.ID); d != nil {
		spec = d.Spec.Refresh
	} else {
		spec.Enabled = c.Refresh.Prober != nil
	}
	return c.Refresh.Over(spec)
}

// past is the least key above all that begin with s; nil for the beginning.
func past(s string) []byte {
	if s == "" {
		return nil
	}
	return append([]byte(s), 0)
}

func sortedSubjects(m map[Subject]bool) []Subject {
	out := make([]Subject, 0, len(m))
	for s := range m {
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b Subject) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID))
	})
	return out
}
