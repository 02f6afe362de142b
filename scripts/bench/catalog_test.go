package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// A fleet's nodes are registered each once, in transactions that Consul takes, on nodes that were registered before.
func TestFleetIsRegistered(t *testing.T) {
	var mu sync.Mutex
	hosts, services := map[string]bool{}, map[string]service{}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		var all []operation
		if err := json.NewDecoder(r.Body).Decode(&all); err != nil || len(all) > 64 || r.URL.Path != "/v1/txn" {
			t.Errorf("%s: %d operations, %v", r.URL.Path, len(all), err)
		}
		for _, op := range all {
			if op.Node != nil {
				hosts[op.Node.Node.Node] = true
				continue
			}
			if !hosts[op.Service.Node] {
				t.Errorf("%s is registered on %q, which is not there", op.Service.Service.ID, op.Service.Node)
			}
			services[op.Service.Service.ID] = op.Service.Service
		}
	}))
	defer server.Close()
	type node struct {
		ID      string `json:"id"`
		Address string `json:"address"`
		Port    int    `json:"port"`
	}
	type cluster struct {
		Cluster string `json:"cluster"`
		Nodes   []node `json:"nodes"`
	}
	var all []cluster
	for _, name := range []string{"a", "b"} {
		c := cluster{Cluster: name}
		for i := range 70 {
			c.Nodes = append(c.Nodes, node{name + string(rune('A'+i)), "127.0.0.9", 7000 + i})
		}
		all = append(all, c)
	}
	raw, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "fleet.json")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := (catalog{server.Listener.Addr().String()}).fill(t.Context(), file); err != nil {
		t.Fatal(err)
	}
	got := services["bC"]
	if len(hosts) != 70 || len(services) != 140 || got.Service != "b" || got.Port != 7002 || got.Address != "127.0.0.9" {
		t.Errorf("%d hosts, %d services, one of them %+v", len(hosts), len(services), got)
	}
}

// The bare reader reads the list and each service of it.
func TestBareReaderReadsAll(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/v1/catalog/services":
			_, _ = io.WriteString(w, `{"a/b":[],"c":[]}`)
		case "/v1/catalog/service/a/b", "/v1/catalog/service/c":
			_, _ = io.WriteString(w, "0123456789")
		default:
			t.Errorf("%s is asked for", r.URL.Path)
		}
	}))
	defer server.Close()
	var out bytes.Buffer
	if err := readerChild(t.Context(), []string{server.Listener.Addr().String(), "2"}, &out); err != nil {
		t.Fatal(err)
	}
	var r bareRead
	if err := json.Unmarshal(out.Bytes(), &r); err != nil || r.Requests != 3 || r.Bytes != 37 || r.Seconds <= 0 {
		t.Errorf("%+v, %v", r, err)
	}
}
