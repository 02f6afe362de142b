package fsm

import (
	"iter"
	"slices"
	"strings"
)

// roster is a row: the nodes of one cluster as they are kept, packed, by id. One row for each cluster, since what the
// database adds to a row is more than a packed node.
type roster struct {
	cluster uint64
	nodes   []string
}

func packNode(p *packer, n *Node) {
	packGist(p, n)
	packEndpoint(p, &n.Endpoint)
	packList(p, &n.Sources, packText[string])
	packRare(p, &n.Settings, n.Settings.IsZero())
	packMap(p, &n.Said.Attributes)
	packList(p, &n.Muted, packText[string])
	p.uint(&n.Index)
}

// packGist packs what nodes are counted by. It comes first, so that who counts unpacks no further.
func packGist(p *packer, n *Node) {
	packText(p, &n.ID)
	packText(p, &n.Presence)
	packText(p, &n.Lifecycle)
	packAxis(p, &n.Reach)
	packAxis(p, &n.State)
	packWord(p, &n.Said)
}

func packEndpoint(p *packer, e *Endpoint) {
	packText(p, &e.Address)
	packNumber(p, &e.Port)
	packMap(p, &e.Labels)
	packText(p, &e.Probe)
}

func packAxis(p *packer, a *Axis) {
	packText(p, &a.Value)
	packText(p, &a.Reason)
	packText(p, &a.Detail)
	packNumber(p, &a.Since)
}

// packWord packs what a node said but its attributes.
func packWord(p *packer, s *Said) {
	for _, t := range []*string{
		&s.Identity.Node, &s.Identity.Cluster, &s.Identity.SaysNode, &s.Identity.SaysCluster, &s.Kind, &s.Version, &s.SidecarVersion,
	} {
		packText(p, t)
	}
	p.flag(&s.Identity.Mismatch)
	packList(p, &s.Shards, packShard)
}

func packShard(p *packer, s *Shard) {
	packText(p, &s.ID)
	packText(p, &s.Role)
	packOptional(p, &s.Offset, func(p *packer, o *Offset) {
		packNumber(p, &o.Value)
		packText(p, &o.Unit)
	})
	packOptional(p, &s.LagMS, packNumber[int64])
	packOptional(p, &s.High, func(p *packer, h *High) {
		packNumber(p, &h.LagMS)
		packNumber(p, &h.Since)
	})
}

// keyOf is the first text of what is packed: by it rows are sorted.
func keyOf(packed string) (id string) {
	packText(&packer{unpacking: true, in: packed}, &id)
	return id
}

// find is where what has that key is, or would be.
func find(rows []string, id string) (at int, found bool) {
	return slices.BinarySearchFunc(rows, id, func(row, id string) int { return strings.Compare(keyOf(row), id) })
}

// merged is a copy of sorted rows with some put in or replaced and others gone.
func merged(rows, put, gone []string) []string {
	out := make([]string, 0, len(rows)+len(put))
	out = append(out, rows...)
	for _, row := range put {
		at, found := find(out, keyOf(row))
		if !found {
			out = slices.Insert(out, at, "")
		}
		out[at] = row
	}
	for _, id := range gone {
		if at, found := find(out, id); found {
			out = slices.Delete(out, at, at+1)
		}
	}
	return out
}

func (r *roster) node(packed string) *Node {
	n := unpacked(packed, packNode)
	n.Cluster = r.cluster
	return n
}

// all yields the nodes of a row.
func (r *roster) all(yield func(*Node) bool) {
	for _, packed := range r.nodes {
		if !yield(r.node(packed)) {
			return
		}
	}
}

// Node is the node of that id in a cluster, or nil.
func (r *Reader) Node(cluster uint64, id string) *Node {
	if row := row[roster](r, tableNodes, byID, num(cluster)); row != nil {
		if at, found := find(row.nodes, id); found {
			return row.node(row.nodes[at])
		}
	}
	return nil
}

// hasNode says whether a cluster has a node of that id.
func (r *Reader) hasNode(cluster uint64, id string) bool {
	row := row[roster](r, tableNodes, byID, num(cluster))
	if row == nil {
		return false
	}
	_, found := find(row.nodes, id)
	return found
}

// Nodes yields a cluster's nodes by id.
func (r *Reader) Nodes(cluster uint64) iter.Seq[*Node] {
	return func(yield func(*Node) bool) {
		if row := row[roster](r, tableNodes, byID, num(cluster)); row != nil {
			row.all(yield)
		}
	}
}

// Gists yields a cluster's nodes by id with what they are counted by and nothing else: presence, lifecycle, both axes, and what
// they said but for attributes. A node is good until the next; its shards stay.
func (r *Reader) Gists(cluster uint64) iter.Seq[*Node] {
	return func(yield func(*Node) bool) {
		row := row[roster](r, tableNodes, byID, num(cluster))
		if row == nil {
			return
		}
		p, n := packer{unpacking: true}, new(Node)
		for _, packed := range row.nodes {
			p.in, *n = packed, Node{Cluster: cluster}
			if packGist(&p, n); !yield(n) {
				return
			}
		}
	}
}

// putNodes writes nodes of one cluster and takes others away.
func (tx *txn) putNodes(cluster uint64, put []*Node, gone []string) {
	if len(put)+len(gone) == 0 {
		return
	}
	next := &roster{cluster: cluster}
	if old := row[roster](&tx.Reader, tableNodes, byID, num(cluster)); old != nil {
		next.nodes = old.nodes
	}
	rows := make([]string, 0, len(put))
	for _, n := range put {
		rows = append(rows, packed(n, packNode))
	}
	if next.nodes = merged(next.nodes, rows, gone); len(next.nodes) == 0 {
		tx.drop(tableNodes, next)
		return
	}
	tx.put(tableNodes, next)
}
