package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestPrometheusScrapesTheSameNodesAsOften(t *testing.T) {
	dir := t.TempDir()
	file, config := filepath.Join(dir, "fleet.json"), filepath.Join(dir, "prometheus.yml")
	nodes := `[{"nodes":[{"address":"127.10.0.0","port":80},{"address":"127.10.0.1","port":81}]}]`
	if err := os.WriteFile(file, []byte(nodes), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := writeScrapes(config, file, 2500*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		config: "scrape_interval: 2500ms\n", config + ".json": `[{"targets":["127.10.0.0:80","127.10.0.1:81"]}]`,
	} {
		if raw, err := os.ReadFile(path); err != nil || !strings.Contains(string(raw), want) {
			t.Errorf("%s: %v\n%s\nwant %s", path, err, raw, want)
		}
	}
}

func TestTargetsThatPrometheusSeesUp(t *testing.T) {
	for answer, want := range map[string]float64{
		`{"data":{"resultType":"scalar","result":[1700000000.1,"1998"]}}`: 1998,
		`{"data":{"resultType":"scalar","result":[1700000000.1,"x"]}}`:    -1,
		`{"data":{}}`: -1,
		`nonsense`:    -1,
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(answer))
		}))
		got, err := countUp(t.Context(), server.Listener.Addr().String())
		server.Close()
		if err != nil && want >= 0 || err == nil && got != want {
			t.Errorf("%s means %v, %v; want %v", answer, got, err, want)
		}
	}
}
