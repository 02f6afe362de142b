package fleet_test

import (
	"io"
	"net/http"
	"regexp"
	"testing"

	"github.com/musterhq/muster/cmd/muster/fleet"
)

// TestMetrics asks as Prometheus does.
func TestMetrics(t *testing.T) {
	p := play(t, fleet.Config{})
	p.act(fleet.SetState, fleet.Action{Node: "fleet-00000-2", State: "down"})
	for i, want := range []string{
		"^node_up 1\n" + `node_shard_primary{shard="0"} 1` + "\n" + `node_shard_offset_bytes{shard="0"} [1-9][0-9]+` + "\n$",
		"^node_up 1\n" + `node_shard_primary{shard="0"} 0` + "\n" + `node_shard_offset_bytes{shard="0"} [1-9][0-9]+` + "\n" +
			`node_shard_lag_seconds{shard="0"} 0\.0[0-9]+` + "\n$",
		"^node_up 0\n",
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+hostPort(p.node(i))+"/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := p.http.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if kind := response.Header.Get("Content-Type"); response.StatusCode != http.StatusOK || kind != "text/plain; version=0.0.4" {
			t.Errorf("node %d answers %s, %q", i, response.Status, kind)
		}
		if !regexp.MustCompile(want).Match(body) {
			t.Errorf("node %d says\n%swant\n%s", i, body, want)
		}
	}
}
