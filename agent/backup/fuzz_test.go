package backup_test

import (
	"bytes"
	"runtime"
	"testing"

	"github.com/musterhq/muster/agent/backup"
)

// FuzzRead checks that nothing that is read, as it is or packed as an archive is, panics or takes much room for what it
// claims to be, and that what is taken is written and taken again.
func FuzzRead(f *testing.F) {
	whole := written(f, state(f))
	f.Add(whole, uint8(0))
	f.Add(whole[:len(whole)/2], uint8(0))
	for i, e := range entries(f, whole) {
		f.Add(e.body, uint8(i+1))
	}
	f.Add([]byte{0, 0xff, 0xff, 0xff, 0x07}, uint8(2))
	f.Fuzz(func(t *testing.T, raw []byte, as uint8) {
		if as %= 4; as > 0 {
			all := entries(t, whole)
			all[as-1].body = raw
			raw = archive(t, all...)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		b, err := backup.Read(bytes.NewReader(raw))
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - before.TotalAlloc; took > 64<<20 {
			t.Fatalf("%d bytes take %d MiB", len(raw), took>>20)
		}
		if err != nil {
			return
		}
		if _, err := backup.Read(bytes.NewReader(written(t, b.State))); err != nil {
			t.Fatalf("what was taken is not taken again: %v", err)
		}
	})
}
