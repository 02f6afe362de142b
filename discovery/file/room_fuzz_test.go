package file_test

import (
	"runtime"
	"strings"
	"testing"
)

// FuzzRoom: reading a small file takes little room, whatever is in it, and a second reading brings the same.
func FuzzRoom(f *testing.F) {
	deep := strings.Repeat("[", 5000)
	f.Add([]byte(`[{"cluster": "a", "nodes": [{"id": "a", "address": "h", "port": 1, "labels": {"a": "b"}}]}]`), uint8(0))
	f.Add([]byte(`[{"targets": ["h:1", "[::1]:2"], "labels": {"cluster": "b"}}]`), uint8(0))
	f.Add([]byte(deep), uint8(0))
	f.Add([]byte("- cluster: a\n  nodes:\n  - &x {id: a, address: h, port: 1}\n  - {<<: *x, id: b}\n"), uint8(1))
	f.Add([]byte("- &a [1,1,1,1,1,1,1,1]\n- &b [*a,*a,*a,*a,*a,*a,*a]\n- &c [*b,*b,*b,*b,*b,*b,*b]\n- cluster: *c\n"), uint8(1))
	f.Add([]byte("- targets: [h:1]\n  labels: {cluster: b}\n"), uint8(2))
	f.Add([]byte("- "+deep+"\n"), uint8(2))
	f.Fuzz(func(t *testing.T, text []byte, form uint8) {
		name := []string{"x.json", "x.yaml", "x.yml"}[form%3]
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		first, _, err := readText(t, name, string(text))
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - before.TotalAlloc; took > 64<<20 {
			t.Fatalf("%d bytes take %d MiB", len(text), took>>20)
		}
		second, _, again := readText(t, name, string(text))
		if (err == nil) != (again == nil) || len(first) != len(second) {
			t.Errorf("%d records and %v, then %d and %v", len(first), err, len(second), again)
		}
	})
}
