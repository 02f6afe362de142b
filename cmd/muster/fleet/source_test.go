package fleet_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/cmd/muster/fleet"
)

func fleetName(i int) string { return fmt.Sprintf("fleet-%05d", i) }

// listed reads a discovery file strictly and returns its nodes as cluster/id@address:port.
func listed(path string) ([]string, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var clusters []struct {
		Cluster string `json:"cluster"`
		Nodes   []struct {
			ID      string `json:"id"`
			Address string `json:"address"`
			Port    int    `json:"port"`
		} `json:"nodes"`
	}
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.DisallowUnknownFields()
	if err := d.Decode(&clusters); err != nil {
		return nil, fmt.Errorf("%w in %q", err, raw)
	}
	nodes := []string{}
	for _, c := range clusters {
		for _, n := range c.Nodes {
			nodes = append(nodes, fmt.Sprintf("%s/%s@%s:%d", c.Cluster, n.ID, n.Address, n.Port))
		}
	}
	return nodes, nil
}

func TestDiscoveryFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fleet.json")
	p := play(t, fleet.Config{Clusters: 2, Nodes: 2, File: path})
	var all []string
	for c := range 2 {
		view, err := p.Cluster(t.Context(), fleetName(c))
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range view.Nodes {
			all = append(all, view.Name+"/"+n.ID+"@"+hostPort(n))
		}
	}
	want := func(when string, want []string) {
		t.Helper()
		got, err := listed(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", when, diff)
		}
	}
	want("at first", all)
	p.act(fleet.Stop, fleet.Action{Node: "fleet-00000-0"})
	want("after a stop", all)
	p.act(fleet.Remove, fleet.Action{Node: "fleet-00000-1"})
	want("after a removal", slices.Delete(slices.Clone(all), 1, 2))
	p.act(fleet.Remove, fleet.Action{})
	want("after the removal of a cluster", all[2:])
	p.act(fleet.Remove, fleet.Action{Cluster: "fleet-00001"})
	want("after the removal of all", []string{})
	p.act(fleet.Add, fleet.Action{})
	p.act(fleet.Add, fleet.Action{Cluster: "fleet-00001"})
	want("after all came back", all)
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	want("after the end", all)
	if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
		t.Errorf("the directory holds %v, %v; want the file alone", entries, err)
	}
}

// TestDiscoveryFileIsWhole reads the file all the while it is being rewritten.
func TestDiscoveryFileIsWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fleet.json")
	p := play(t, fleet.Config{Clusters: 200, Nodes: 5, File: path})
	ctx, cancel := context.WithCancel(t.Context())
	var reader sync.WaitGroup
	reader.Go(func() {
		for ctx.Err() == nil {
			nodes, err := listed(path)
			if err != nil || len(nodes) != 1000 && len(nodes) != 999 {
				t.Errorf("a reader meets %d nodes, %v", len(nodes), err)
				return
			}
		}
	})
	for range 20 {
		p.act(fleet.Remove, fleet.Action{Node: "fleet-00000-1"})
		p.act(fleet.Add, fleet.Action{Node: "fleet-00000-1"})
	}
	cancel()
	reader.Wait()
}

func TestUnwritableFile(t *testing.T) {
	folder := t.TempDir()
	for name, path := range map[string]string{"no folder": filepath.Join(folder, "no", "fleet.json"), "a folder": folder} {
		t.Run(name, func(t *testing.T) {
			f, err := fleet.New(fleet.Config{Port: fleet.AnyPort, File: path})
			if err != nil {
				t.Fatal(err)
			}
			if err := f.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "write discovery file") {
				t.Errorf("Run: %v, want what is wrong with the file", err)
			}
			if entries, err := os.ReadDir(filepath.Dir(folder)); err != nil || len(entries) != 1 {
				t.Errorf("beside it are %v, %v; want nothing left", entries, err)
			}
		})
	}
}

// catalog is what of Consul a fleet needs.
type catalog struct {
	*httptest.Server
	mu       sync.Mutex
	services map[string]any
	busy     int
	most     int
	refuse   bool
}

func newCatalog(t *testing.T) *catalog {
	a := &catalog{services: map[string]any{}}
	a.Server = httptest.NewServer(a)
	t.Cleanup(a.Close)
	return a
}

func (a *catalog) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	a.busy++
	a.most = max(a.most, a.busy)
	a.mu.Unlock()
	var body map[string]any
	decoded := json.NewDecoder(r.Body).Decode(&body)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.busy--
	switch {
	case r.Method != http.MethodPut || r.Header.Get("X-Consul-Token") != "secret":
		w.WriteHeader(http.StatusForbidden)
	case a.refuse:
		http.Error(w, "no cluster leader", http.StatusInternalServerError)
	case decoded != nil || body["Node"] != "fleet":
		w.WriteHeader(http.StatusBadRequest)
	case r.URL.Path == "/v1/catalog/register":
		service := body["Service"].(map[string]any)
		a.services[service["ID"].(string)] = body
	case r.URL.Path == "/v1/catalog/deregister" && body["ServiceID"] == nil:
		clear(a.services)
	case r.URL.Path == "/v1/catalog/deregister":
		delete(a.services, body["ServiceID"].(string))
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func (a *catalog) ids() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	ids := []string{}
	for id := range a.services {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

func TestConsul(t *testing.T) {
	a := newCatalog(t)
	a.services["fleet-00009-9"] = "left behind"
	p := play(t, fleet.Config{Nodes: 2, ConsulAddr: a.URL, ConsulToken: "secret"})
	n := p.node(1)
	if diff := cmp.Diff([]string{"fleet-00000-0", "fleet-00000-1"}, a.ids()); diff != "" {
		t.Errorf("at first (-want +got):\n%s", diff)
	}
	want := map[string]any{"Node": "fleet", "Address": "127.0.0.1", "Service": map[string]any{
		"ID": "fleet-00000-1", "Service": "fleet-00000", "Tags": []any{"muster"},
		"Address": n.Address, "Port": float64(n.Port),
		"Meta": map[string]any{"muster-cluster": "fleet-00000", "muster-node": "fleet-00000-1"},
	}}
	if diff := cmp.Diff(want, a.services["fleet-00000-1"]); diff != "" {
		t.Errorf("registration (-want +got):\n%s", diff)
	}
	p.act(fleet.Remove, fleet.Action{Node: n.ID})
	if diff := cmp.Diff([]string{"fleet-00000-0"}, a.ids()); diff != "" {
		t.Errorf("after a removal (-want +got):\n%s", diff)
	}
	p.act(fleet.Add, fleet.Action{})
	if diff := cmp.Diff([]string{"fleet-00000-0", "fleet-00000-1"}, a.ids()); diff != "" {
		t.Errorf("after it came back (-want +got):\n%s", diff)
	}
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	if ids := a.ids(); len(ids) > 0 {
		t.Errorf("%v are left after the end", ids)
	}
}

func TestConsulIsToldInParallelAndBounded(t *testing.T) {
	a := newCatalog(t)
	play(t, fleet.Config{Clusters: 100, Nodes: 3, ConsulAddr: a.URL, ConsulToken: "secret"})
	if n := len(a.ids()); n != 300 || a.most > 16 {
		t.Errorf("%d services, %d requests at a time; want 300, at most 16", n, a.most)
	}
}

func TestConsulThatRefuses(t *testing.T) {
	a := newCatalog(t)
	a.refuse = true
	f, err := fleet.New(fleet.Config{Port: fleet.AnyPort, ConsulAddr: a.URL, ConsulToken: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "no cluster leader") {
		t.Errorf("Run: %v, want what Consul said", err)
	}
}
