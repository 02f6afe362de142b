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

// Plain is a row of a snapshot's table as it is read where it is written plainly, to be kept or to pass; false where that is
// left to Decoded.
func Plain(table byte, raw []byte, passing bool) (row any, ok bool) {
	for _, t := range storedTables {
		if t.number == table {
			row = t.blank()
			ok = (&plain{in: raw, passing: passing}).read(t.read, row)
		}
	}
	return row, ok
}

// Decoded is a row of a snapshot's table as the decoder of every shape reads it.
func Decoded(table byte, raw []byte) (row any, err error) {
	for _, t := range storedTables {
		if t.number == table {
			row = t.blank()
			err = decode(raw, row)
		}
	}
	return row, err
}
