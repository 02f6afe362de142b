package fsm

import (
	"encoding/binary"
	"slices"
)

// Census counts the rows of a snapshot while it is read or written: it is a writer for an io.TeeReader or io.MultiWriter.
// What it is given must be verified elsewhere; of bytes that are no snapshot it counts nonsense, and no more than they are.
type Census struct {
	rows   [256]Count
	number byte
	head   []byte // of the row under way, until its length is known
	left   uint64 // bytes of the row under way
}

// Count is how many rows of one kind a snapshot holds, and how many bytes they take in it.
type Count struct {
	Kind  string `json:"kind"`
	Rows  int64  `json:"rows"`
	Bytes int64  `json:"bytes"`
}

// Write takes the next bytes; it never fails.
func (c *Census) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		if c.left > 0 {
			took := min(c.left, uint64(len(p)))
			c.left -= took
			c.rows[c.number].Bytes += int64(took)
			p = p[took:]
			continue
		}
		c.head = append(c.head, p[0])
		p = p[1:]
		if size, width := binary.Uvarint(c.head[1:]); width != 0 {
			c.number, c.left = c.head[0], size
			c.rows[c.number].Rows++
			c.rows[c.number].Bytes += int64(len(c.head))
			c.head = c.head[:0]
		}
	}
	return n, nil
}

// Counts are the kinds that were seen, in the order of the snapshot.
func (c *Census) Counts() []Count {
	var out []Count
	for number, count := range c.rows {
		i := slices.IndexFunc(storedTables, func(t stored) bool { return int(t.number) == number })
		if i < 0 || count.Rows == 0 {
			continue
		}
		switch count.Kind = storedTables[i].table; number {
		case 9:
			count.Kind = "claims"
		case 10:
			count.Kind = "schedules"
		}
		out = append(out, count)
	}
	return out
}
