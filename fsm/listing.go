package fsm

import (
	"iter"
	"slices"
)

// listings is a row: what one discovery lists of one cluster as it is kept, packed, by node.
type listings struct {
	discovery, cluster uint64
	nodes              []string
	present            bool // one at least is not absent
}

func listingsKey(cluster, discovery uint64) []byte {
	return appendNum(appendNum(make([]byte, 0, 32), cluster), discovery)
}

func packListing(p *packer, l *Listing) {
	packAbsence(p, l)
	packNumber(p, &l.LastRead)
	packEndpoint(p, &l.Endpoint)
}

// packAbsence packs whether the source lists the node now. It comes first, so that who asks for that unpacks no further.
func packAbsence(p *packer, l *Listing) {
	packText(p, &l.Node)
	packNumber(p, &l.AbsentSince)
	packNumber(p, &l.AbsentReads)
}

func (l *listings) listing(packed string) *Listing {
	out := unpacked(packed, packListing)
	out.Discovery, out.Cluster = l.discovery, l.cluster
	return out
}

// all yields the listings of a row.
func (l *listings) all(yield func(*Listing) bool) {
	for _, packed := range l.nodes {
		if !yield(l.listing(packed)) {
			return
		}
	}
}

// Listings yields the listings of a cluster by age of discovery and node.
func (r *Reader) Listings(cluster uint64) iter.Seq[*Listing] {
	return unpack(r.listed(cluster), (*listings).all)
}

// listed yields the rows of a cluster by age of discovery.
func (r *Reader) listed(cluster uint64) iter.Seq[*listings] {
	return scan[listings](r, tableListings, byID, num(cluster))
}

// Sources says, node by node, who lists it, by age of discovery, and since when no more.
func (r *Reader) Sources(cluster uint64) func(node string) []Source {
	type lister struct {
		*listings
		name string
	}
	var listers []lister
	for row := range r.listed(cluster) {
		if d := r.DiscoveryByID(row.discovery); d != nil {
			listers = append(listers, lister{row, d.Name})
		}
	}
	return func(node string) []Source {
		out := make([]Source, 0, len(listers))
		for _, l := range listers {
			if at, found := find(l.nodes, node); found {
				absence := unpacked(l.nodes[at], packAbsence)
				out = append(out, Source{Discovery: l.name, AbsentSince: absence.AbsentSince, AbsentReads: absence.AbsentReads})
			}
		}
		return out
	}
}

// NodeListings yields the listings of one node by age of discovery.
func (r *Reader) NodeListings(cluster uint64, node string) iter.Seq[*Listing] {
	return func(yield func(*Listing) bool) {
		for row := range r.listed(cluster) {
			if at, found := find(row.nodes, node); found && !yield(row.listing(row.nodes[at])) {
				return
			}
		}
	}
}

// Listed yields what a discovery listed, by cluster id and node.
func (r *Reader) Listed(discovery uint64) iter.Seq[*Listing] {
	return unpack(scan[listings](r, tableListings, byDiscovery, num(discovery)), (*listings).all)
}

// ListedClusters yields the ids of the clusters a discovery has listings in.
func (r *Reader) ListedClusters(discovery uint64) iter.Seq[uint64] {
	return func(yield func(uint64) bool) {
		for row := range scan[listings](r, tableListings, byDiscovery, num(discovery)) {
			if !yield(row.cluster) {
				return
			}
		}
	}
}

// discoveryOf is the oldest discovery that lists any node of a cluster now, or else listed one; nil when there is none.
func (r *Reader) discoveryOf(cluster uint64) *Discovery {
	var inForce *listings
	for row := range r.listed(cluster) {
		if inForce == nil || row.present && !inForce.present {
			inForce = row
		}
	}
	if inForce == nil {
		return nil
	}
	return r.DiscoveryByID(inForce.discovery)
}

// nodeDiscovery is the discovery whose listing of a node is in force; nil when there is none.
func (r *Reader) nodeDiscovery(cluster uint64, node string) *Discovery {
	var rows []Listing
	for l := range r.NodeListings(cluster, node) {
		rows = append(rows, *l)
	}
	if l := InForce(rows); l != nil {
		return r.DiscoveryByID(l.Discovery)
	}
	return nil
}

// putListings writes listings of one discovery in one cluster and takes those of other nodes away. It moves no index.
func (tx *txn) putListings(cluster, discovery uint64, put []Listing, gone []string) {
	if len(put)+len(gone) == 0 {
		return
	}
	next := &listings{cluster: cluster, discovery: discovery}
	old := row[listings](&tx.Reader, tableListings, byID, listingsKey(cluster, discovery))
	if old != nil {
		next.nodes = old.nodes
	}
	rows := make([]string, 0, len(put))
	for i := range put {
		rows = append(rows, packed(&put[i], packListing))
	}
	next.nodes = merged(next.nodes, rows, gone)
	next.settle()
	switch {
	case len(next.nodes) > 0:
		tx.insert(tableListings, next)
	case old != nil:
		tx.remove(tableListings, next)
	}
}

// settle works out what follows from the listings.
func (l *listings) settle() {
	l.present = slices.ContainsFunc(l.nodes, func(packed string) bool { return unpacked(packed, packAbsence).AbsentSince == 0 })
}

// unlist drops all listings of nodes of a cluster that are gone.
func (tx *txn) unlist(cluster uint64, gone []string) {
	for _, row := range slices.Collect(tx.listed(cluster)) {
		tx.putListings(cluster, row.discovery, nil, gone)
	}
}
