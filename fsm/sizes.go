package fsm

// Sizes is how many rows there are of what grows with the fleet and its users.
type Sizes struct {
	Discoveries, Clusters, Claims, Tokens int

	Nodes   int
	Largest int // nodes of the cluster that has the most
}

// Sizes counts rows, and unpacks none.
func (r *Reader) Sizes() Sizes {
	var s Sizes
	for range r.Discoveries("") {
		s.Discoveries++
	}
	for range scan[Cluster](r, tableClusters, byID, nil) {
		s.Clusters++
	}
	for row := range scan[roster](r, tableNodes, byID, nil) {
		s.Nodes += len(row.nodes)
		s.Largest = max(s.Largest, len(row.nodes))
	}
	for range r.Claims() {
		s.Claims++
	}
	for range r.Tokens("") {
		s.Tokens++
	}
	return s
}
