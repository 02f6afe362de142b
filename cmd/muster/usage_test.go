package main

import (
	"strings"
	"syscall"
	"testing"

	httpd "github.com/musterhq/muster/http"
)

// TestUsageOfARealPeer asks a peer with a data directory what it uses: all of it is there, and nothing beyond a limit.
func TestUsageOfARealPeer(t *testing.T) {
	h := hosts(t, 1)[0]
	h.start(nil, "-bootstrap-expect", "1")
	ready(t, h.api)
	u, meta, err := h.api.Usage(t.Context(), httpd.Read{})
	if err != nil || u.Peer != "peer-a" || meta.Index == 0 {
		t.Fatalf("%v: of %q at %d", err, u.Peer, meta.Index)
	}
	used := map[string]int64{}
	for _, row := range u.Usage {
		if _, twice := used[row.Name]; twice || row.Used < 0 || row.Limit > 0 && row.Used > row.Limit {
			t.Errorf("%+v", row)
		}
		used[row.Name] = row.Used
	}
	for _, name := range []string{"events", "log_file", "log_entries", "log_since_snapshot", "disk", "memory", "heap", "open_files", "goroutines"} {
		if used[name] == 0 {
			t.Errorf("%s is 0", name)
		}
	}
	for _, name := range []string{"snapshots", "polls", "poll_connections", "log_readers"} {
		if n, told := used[name]; !told || n != 0 {
			t.Errorf("%s is %d, told %t", name, n, told)
		}
	}
	out := h.ask("operator", "usage")
	for _, want := range []string{"Group ", "Peer peer-a", "nodes of largest cluster", "10000", "LimitNOFILE"} {
		if !strings.Contains(out, want) {
			t.Errorf("want %q in:\n%s", want, out)
		}
	}
	h.end(syscall.SIGTERM)
}
