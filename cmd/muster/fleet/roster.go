package fleet

import (
	"context"
	"iter"
	"maps"
	"slices"
)

// source is where muster learns of the nodes. Calls come one at a time.
type source interface {
	publish(ctx context.Context, r *roster) error                 // all that are listed
	change(ctx context.Context, r *roster, moved []listing) error // after some were listed or unlisted
	withdraw(ctx context.Context) error                           // at the end
}

// listing is a node as sources have it.
type listing struct {
	cluster string
	id      string
	address string
	port    int
	listed  bool
}

// roster is who is listed. It is used under Fleet.listing.
type roster struct {
	layout
	port     func(cluster, node int) int
	unlisted map[string]bool // ids
}

func newRoster(l layout, port func(cluster, node int) int) *roster {
	return &roster{layout: l, port: port, unlisted: map[string]bool{}}
}

// update takes a cluster's word for who is listed and returns those who were not before, or are no more.
func (r *roster) update(c Cluster) []listing {
	before := maps.Clone(r.unlisted)
	var moved []listing
	for _, n := range c.Nodes {
		if n.Listed {
			delete(r.unlisted, n.ID)
		} else {
			r.unlisted[n.ID] = true
		}
		if before[n.ID] == n.Listed {
			moved = append(moved, listing{c.Name, n.ID, n.Address, n.Port, n.Listed})
		}
	}
	return moved
}

// clusters yields the listed nodes of each cluster that has any.
func (r *roster) clusters() iter.Seq[[]listing] {
	return func(yield func([]listing) bool) {
		nodes := make([]listing, 0, r.Nodes)
		for c := range r.Clusters {
			nodes = nodes[:0]
			for n := range r.Nodes {
				if id := r.nodeID(c, n); !r.unlisted[id] {
					nodes = append(nodes, listing{r.clusterName(c), id, r.address(c, n).String(), r.port(c, n), true})
				}
			}
			if len(nodes) > 0 && !yield(slices.Clip(nodes)) {
				return
			}
		}
	}
}
