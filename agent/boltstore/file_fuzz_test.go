package boltstore_test

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// FuzzDamagedFile changes bytes anywhere in a file: each edit is a place (4 bytes), a length and what stands there instead. What is
// served is right, or the damage is named; nothing panics, not in a goroutine of bolt's either, and no file is read for ever.
func FuzzDamagedFile(f *testing.F) {
	all := commits(f)
	for i, c := range all {
		if at := bytes.Index(c.after, []byte("conf")); at >= 0 {
			f.Add(uint8(i), edit(uint32(at), []byte("cone")))
		}
		for at := 2 * page; at < len(c.after); at += page {
			if c.after[at+8] == 1 { // it leads to others: now to itself
				f.Add(uint8(i), edit(uint32(at+24), c.after[at:at+8]))
			}
		}
		f.Add(uint8(i), edit(64, bytes.Repeat([]byte{1}, 8)))                // a meta page
		f.Add(uint8(i), edit(uint32(3*page+8), []byte{0x10, 0, 0xff, 0xff})) // what a page is, and how much there is in it
		f.Add(uint8(i), edit(uint32(4*page+16), bytes.Repeat([]byte{0xff}, 16)))
	}
	f.Fuzz(func(t *testing.T, which uint8, edits []byte) {
		c := &all[int(which)%len(all)]
		image := bytes.Clone(c.after)
		for len(edits) > 5 {
			at, n := int(binary.BigEndian.Uint32(edits))%len(image), int(edits[4])
			n = copy(image[at:], edits[5:min(5+n, len(edits))])
			edits = edits[5+n:]
		}
		c.judge(t, image)
	})
}

func edit(at uint32, as []byte) []byte {
	return append(append(binary.BigEndian.AppendUint32(nil, at), byte(len(as))), as...)
}
