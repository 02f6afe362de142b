package fsm

// PackedNode is a node that was packed and unpacked again.
func PackedNode(n *Node) *Node { return unpacked(packed(n, packNode), packNode) }

// PackedListing is a listing that was packed and unpacked again.
func PackedListing(l *Listing) *Listing { return unpacked(packed(l, packListing), packListing) }

// EventPages is how many rows the events take.
func EventPages(r *Reader) (n int) {
	for range scan[page](r, tableEvents, byID, nil) {
		n++
	}
	return n
}
