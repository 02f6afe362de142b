package boltstore_test

import (
	"bytes"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/agent/boltstore"
)

// FuzzDecodeEntry: no stored value panics or takes much room, and an entry that is read is stored and read the same again.
func FuzzDecodeEntry(f *testing.F) {
	golden := goldenEntry
	value, err := boltstore.EncodeEntry(&golden)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(golden.Index, value)
	f.Add(golden.Index, value[:len(value)-1])
	f.Add(uint64(7), []byte("\x86\xa5Index\x07\xa4Term\x01\xa4Type\x00\xa4Data\xc6\xff\xff\xff\xff"))
	f.Add(uint64(7), []byte("\x82\xa5Index\x07\xaaAppendedAt\xaf\x01\x00\x00\x00\x0e\xbb\x00\x00\x00\x00\x00\x00\x00\x00\xff"))
	f.Fuzz(func(t *testing.T, index uint64, value []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		entry, err := boltstore.DecodeEntry(index, value)
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - before.TotalAlloc; took > 64<<20 {
			t.Fatalf("%d bytes take %d MiB", len(value), took>>20)
		}
		if err != nil {
			return
		}
		stored, err := boltstore.EncodeEntry(&entry)
		if err != nil {
			t.Fatal(err)
		}
		again, err := boltstore.DecodeEntry(index, stored)
		entry.AppendedAt, again.AppendedAt = entry.AppendedAt.UTC(), again.AppendedAt.UTC()
		if diff := cmp.Diff(entry, again); err != nil || diff != "" {
			t.Errorf("error %v, the entry again (-first +second):\n%s", err, diff)
		}
	})
}

// FuzzDamage: an entry of which a byte was changed, or the end was cut off, is an error, never another entry.
func FuzzDamage(f *testing.F) {
	f.Add([]byte("one golden entry"), []byte("ext"), uint16(0), uint8(1), uint16(0))
	f.Add([]byte{}, []byte(nil), uint16(40), uint8(0x80), uint16(3))
	f.Fuzz(func(t *testing.T, data, extensions []byte, at uint16, by uint8, short uint16) {
		given := goldenEntry
		given.Data, given.Extensions = data, extensions
		value, err := boltstore.EncodeEntry(&given)
		if err != nil {
			t.Fatal(err)
		}
		damaged := append([]byte(nil), value[:len(value)-min(int(short), len(value))]...)
		if len(damaged) > 0 {
			damaged[int(at)%len(damaged)] ^= by
		}
		got, err := boltstore.DecodeEntry(given.Index, damaged)
		if err == nil && !same(got, given) {
			t.Errorf("%x, damaged to %x, is read as %+v", value, damaged, got)
		}
	})
}

// same compares entries but for whether what is empty is there at all.
func same(a, b raft.Log) bool {
	return a.Index == b.Index && a.Term == b.Term && a.Type == b.Type && a.AppendedAt.Equal(b.AppendedAt) &&
		bytes.Equal(a.Data, b.Data) && bytes.Equal(a.Extensions, b.Extensions)
}
