package file_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/musterhq/muster/discovery"
	"github.com/musterhq/muster/discovery/backendtest"
	"github.com/musterhq/muster/discovery/file"
	"github.com/musterhq/muster/fsm"
)

func open(t *testing.T, patterns ...string) discovery.Backend {
	t.Helper()
	config, err := json.Marshal(map[string]any{"files": patterns})
	if err != nil {
		t.Fatal(err)
	}
	b, err := file.Make(fsm.JSON(config), discovery.Env{})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// replace puts a file in place the way careful writers do.
func replace(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
}

// put writes one file for each cluster, leaving those alone that are as they should be.
func put(t *testing.T, dir string, records []fsm.Record) {
	t.Helper()
	texts := map[string]string{}
	clusters := map[string][]map[string]any{}
	for _, r := range records {
		clusters[r.Cluster] = append(clusters[r.Cluster],
			map[string]any{"id": r.Node, "address": r.Address, "port": r.Port, "labels": r.Labels})
	}
	for name, nodes := range clusters {
		text, err := json.MarshalIndent([]any{map[string]any{"cluster": name, "nodes": nodes}}, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		texts[filepath.Join(dir, name+".json")] = string(text)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if path := filepath.Join(dir, e.Name()); texts[path] == "" {
			remove(t, path)
		}
	}
	for path, text := range texts {
		if was, err := os.ReadFile(path); err != nil || string(was) != text {
			remove(t, path)
			replace(t, path, text)
		}
	}
}

func TestContract(t *testing.T) {
	backendtest.Run(t, func(t *testing.T) backendtest.Subject {
		dir := t.TempDir()
		orders := filepath.Join(dir, "orders.json")
		spoil := func(text string) func(*testing.T) { return func(t *testing.T) { write(t, orders, text) } }
		return backendtest.Subject{
			Backend: open(t, filepath.Join(dir, "*.json")),
			Put:     func(t *testing.T, records []fsm.Record) { put(t, dir, records) },
			Name:    func(cluster string) string { return filepath.Join(dir, cluster+".json") },
			Faults: map[string]func(*testing.T){
				"empty":     spoil(""),
				"blank":     spoil(" \n"),
				"null":      spoil("null"),
				"cut short": spoil(`[{"cluster": "orders", "nodes": [{"id": "orders-1", "address": "10.0.0.7", "port": 1}`),
				"not JSON":  spoil("orders: 1"),
				"a mapping": spoil(`{"cluster": "orders", "nodes": []}`),
				"more":      spoil(`[] []`),
				"too large": spoil("[" + strings.Repeat(" ", 16<<20) + "]"),
				"directory": func(t *testing.T) {
					remove(t, orders)
					if err := os.Mkdir(orders, 0o700); err != nil {
						t.Fatal(err)
					}
				},
				"dangling link": func(t *testing.T) {
					remove(t, orders)
					if err := os.Symlink(filepath.Join(dir, "gone"), orders); err != nil {
						t.Fatal(err)
					}
				},
				"nothing matches": func(t *testing.T) { put(t, dir, nil) },
			},
			Twice: func(t *testing.T) {
				write(t, filepath.Join(dir, "again.json"),
					`[{"cluster": "orders", "nodes": [{"id": "orders-1", "address": "10.0.0.7", "port": 1}]}]`)
			},
		}
	})
}
