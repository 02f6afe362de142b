package file_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/discovery"
	"github.com/musterhq/muster/discovery/file"
	"github.com/musterhq/muster/fsm"
)

func readText(t *testing.T, name, text string) ([]fsm.Record, string, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	write(t, path, text)
	records, err := open(t, path).Read(t.Context(), discovery.Want{})
	return records, path, err
}

// wanted is what both of the texts below list.
func wanted(path string, lines ...int) []fsm.Record {
	zone := map[string]string{"zone": "a"}
	out := []fsm.Record{
		{Cluster: "orders", Node: "orders-1", Address: "10.0.0.7", Port: 8655, Labels: map[string]string{"zone": "a", "rack": "7"}, Probe: "tcp"},
		{Cluster: "orders", Node: "db/2", Address: "db.example", Port: 8656},
		{Cluster: "users", Node: "10.0.0.8:9100", Address: "10.0.0.8", Port: 9100, Labels: zone},
		{Cluster: "users", Node: "[::1]:9100", Address: "::1", Port: 9100, Labels: zone},
		{Cluster: "solo", Node: "one", Address: "10.0.0.9", Port: 1},
	}
	for i := range out {
		out[i].Source = fmt.Sprintf("%s:%d", path, lines[i])
	}
	return out
}

func TestJSON(t *testing.T) {
	got, path, err := readText(t, "mixed.JSON", `[
  {"cluster": "orders", "nodes": [
    {"id": "orders-1", "address": "10.0.0.7", "port": 8655, "probe": "tcp",
     "labels": {"zone": "a", "rack": 7}},

    {"id": "db\/2", "address": "db.example", "port": 8656, "labels": {}}
  ]},
  {"targets": ["10.0.0.8:9100",
               "[::1]:9100"],
   "labels": {"cluster": "users", "zone": "a", "__meta_consul_dc": "dc1", "__scheme__": "https"}},
  {"targets": ["10.0.0.9:1"], "labels": {"cluster": "solo", "node": "one"}},
  {"targets": [], "labels": {"cluster": "none"}}, {"cluster": "none", "nodes": []}
]`)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(wanted(path, 3, 6, 8, 9, 11), got); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
}

func TestYAML(t *testing.T) {
	got, path, err := readText(t, "mixed.yml", `# clusters
- cluster: orders
  nodes:
    - id: orders-1
      address: 10.0.0.7
      port: 8655
      probe: tcp
      labels: &l
        zone: a
        rack: 7
    - {id: db/2, address: db.example, port: 0x21d0}
- targets: ["10.0.0.8:9100",
            '[::1]:9100']
  labels: {cluster: users, zone: "a", __meta_consul_dc: dc1}
- targets:
  - 10.0.0.9:1
  labels:
    cluster: solo
    node: one
`)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(wanted(path, 4, 11, 12, 13, 16), got); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
	if got, _, err := readText(t, "alias.yaml", "- {cluster: a, nodes: [{id: x, address: h, port: 1, labels: &l {zone: b}}]}\n"+
		"- {cluster: b, nodes: [{id: y, address: h, port: 1, labels: *l}]}\n"); err != nil || got[1].Labels["zone"] != "b" {
		t.Errorf("an alias: %v, error %v", got, err)
	}
}

func TestEmptyLists(t *testing.T) {
	for name, text := range map[string]string{"a.json": "[]", "b.yaml": "[]\n", "c.json": " [ ] \n"} {
		if got, _, err := readText(t, name, text); err != nil || len(got) != 0 {
			t.Errorf("%s: %v, error %v; nothing and no error are wanted", text, got, err)
		}
	}
}

func TestErrorsSayWhere(t *testing.T) {
	const node = `{"id": "a", "address": "h", "port": 1}`
	for _, c := range []struct {
		name, text string
		line       int
		message    string
	}{
		{"x.json", "[\n{\"cluster\": \"a\",\n\"nodes\": [" + node + ",\n{]}]", 4, "invalid character"},
		{"x.json", "[\n{\"cluster\": \"a\", \"nodes\": [" + node + "]},\n\n", 3, "ends in the middle"},
		{"x.json", "[\n{\"cluster\": \"a\", \"nodes\": [\n{\"id\": \"a\", \"addres", 3, "ends in the middle"},
		{"x.json", "[\n\n]\n]", 4, "more after the end"},
		{"x.json", "{\n}", 1, "a list of clusters"},
		{"x.json", "[\n3]", 2, "clusters are objects"},
		{"x.json", "[{\"cluster\": \"a\",\n\"nods\": []}]", 2, `did you mean "nodes"`},
		{"x.json", "[\n{\"cluster\": \"a\"}]", 2, "neither nodes nor targets"},
		{"x.json", "[\n{\"nodes\": [], \"targets\": []}]", 2, "both nodes and targets"},
		{"x.json", "[\n{\"nodes\": []}]", 2, "cluster is missing"},
		{"x.json", "[{\"cluster\": \"a\", \"nodes\":\n{}}]", 2, "a list is wanted"},
		{"x.json", "[{\"cluster\": \"a/b\", \"nodes\": []}]", 1, "cluster names may not"},
		{"x.json", "[{\"cluster\": \"a\", \"nodes\": [\n{\"address\": \"h\", \"port\": 1}]}]", 2, "id is missing"},
		{"x.json", "[{\"cluster\": \"a\", \"nodes\": [\n{\"id\": \"a\", \"port\": 1}]}]", 2, "address is missing"},
		{"x.json", "[{\"cluster\": \"a\", \"nodes\": [\n{\"id\": \"a\", \"address\": \"h\"}]}]", 2, "no port"},
		{"x.json", "[{\"cluster\": \"a\", \"nodes\": [{\"id\": \"a\", \"address\": \"h\",\n\"port\": \"1\"}]}]", 2, "a whole number"},
		{"x.json", "[{\"cluster\": \"a\", \"nodes\": [{\"id\": \"a\", \"address\": \"h\",\n\"port\": 1.5}]}]", 2, "a whole number"},
		{"x.json", "[{\"cluster\": \"a\", \"nodes\": [\n{\"id\": \"a\", \"address\": \"h\", \"port\": 70000}]}]", 2, "between 1 and 65535"},
		{"x.json", "[{\"cluster\": \"a\", \"nodes\": [{\"id\": \"a\",\n\"prot\": 1}]}]", 2, `did you mean "port"`},
		{"x.json", "[{\"cluster\": \"a\", \"nodes\": [{\"id\": \"a\",\n\"id\": \"b\"}]}]", 2, "there twice"},
		{"x.json", "[{\"cluster\": \"a\", \"nodes\": [" + node + ",\n" + node + "]}]", 2, "listed twice"},
		{"x.json", "[{\"targets\": [\"h:1\"],\n\"labels\": {\"zone\": \"a\"}}]", 1, "no label cluster"},
		{"x.json", "[{\"labels\": {\"cluster\": \"a\"}, \"targets\": [\n\"h\"]}]", 2, "not host:port"},
		{"x.json", "[{\"labels\": {\"cluster\": \"a\", \"node\": \"n\"}, \"targets\": [\"h:1\", \"h:2\"]}]", 1, "names one node"},
		{"x.json", "[{\"labels\": {\"cluster\": \"a\",\n\"zone\": []}, \"targets\": []}]", 2, "a string is wanted"},
		{"x.json", "[" + strings.Repeat("[", 100), 1, "deeper"},
		{"x.yaml", "- cluster: a\n  nodes:\n  - id: a\n    adress: h\n", 4, `did you mean "address"`},
		{"x.yaml", "- cluster: a\n  nodes: [\n", 2, "not found"},
		{"x.yaml", "cluster: a\n", 1, "a list of clusters"},
		{"x.yaml", "- cluster: a\n  nodes:\n  - id: a\n    address: h\n    port: 1", 5, "newline"},
		{"x.yaml", "# nothing\n", 1, "nothing in the file"},
		{"x.yaml", "- {cluster: a, nodes: []}\n---\n- {cluster: b, nodes: []}\n", 1, "more than one document"},
		{"x.yaml", "- cluster: a\n  nodes: *n\n", 1, "anchored"},
		{"x.yaml", "- cluster: a\n  nodes:\n  - {id: a, address: h, port: 1}\n  - {id: a, address: h, port: 1}\n", 4, "listed twice"},
		{"x.yaml", "- cluster: a\n  nodes:\n", 2, "a list is wanted"},
	} {
		_, path, err := readText(t, c.name, c.text)
		if err == nil || !strings.HasPrefix(err.Error(), fmt.Sprintf("%s:%d: ", path, c.line)) && !strings.Contains(err.Error(), fmt.Sprintf("%s:%d", path, c.line)) {
			t.Errorf("%q: %v; wanted is an error at line %d", c.text, err, c.line)
		}
		if err != nil && !strings.Contains(err.Error(), c.message) {
			t.Errorf("%q: %v; wanted is an error about %q", c.text, err, c.message)
		}
	}
}

func TestTwiceInTwoFilesNamesBoth(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a.json"), filepath.Join(dir, "b.yaml")
	write(t, a, `[{"cluster": "x", "nodes": [{"id": "n", "address": "h", "port": 1}]}]`)
	write(t, b, "- cluster: x\n  nodes:\n  - {id: n, address: h, port: 2}\n")
	_, err := open(t, filepath.Join(dir, "*")+".json", b).Read(t.Context(), discovery.Want{})
	if !errors.Is(err, discovery.ErrDuplicate) || !strings.Contains(err.Error(), a+":1") || !strings.Contains(err.Error(), b+":3") {
		t.Errorf("error %v; wanted is one that names %s:1 and %s:3", err, a, b)
	}
}

func TestPatterns(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"one/a.json", "two/b.json", ".three/c.json", "one/.hidden.json", "one/d.txt"} {
		mkdir(t, filepath.Dir(filepath.Join(dir, name)))
		base := strings.TrimSuffix(filepath.Base(name), ".json")
		write(t, filepath.Join(dir, name), fmt.Sprintf(`[{"cluster": "x", "nodes": [{"id": %q, "address": "h", "port": 1}]}]`, base))
	}
	for pattern, want := range map[string]string{
		"*/*.json": "a,b", "one/*.json": "a", "one/.*.json": ".hidden", ".three/*.json": "c", "*/[a].json": "a", "none/*.json": "",
		"one/a.json/*.json": "", "one/none.json": "",
	} {
		got, err := open(t, filepath.Join(dir, pattern)).Read(t.Context(), discovery.Want{})
		var names []string
		for _, r := range got {
			names = append(names, r.Node)
		}
		if strings.Join(names, ",") != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q, error %v; wanted %q", pattern, names, err, want)
		}
	}
}

func TestMake(t *testing.T) {
	for config, want := range map[string]string{
		``:                             "config.files",
		`{"files": []}`:                "config.files",
		`{"files": "/x.json"}`:         "config.files",
		`{"file": ["/x.json"]}`:        "config.file",
		`{"files": ["x.json"]}`:        "config.files.0",
		`{"files": ["/x.json", "/y"]}`: "config.files.1",
		`{"files": ["/x[.json"]}`:      "config.files.0",
	} {
		_, err := file.Make(fsm.JSON(config), discovery.Env{})
		var invalid *fsm.Error
		if !errors.As(err, &invalid) || invalid.Fields[want] == "" {
			t.Errorf("%s: %v; wanted is an error of %s", config, err, want)
		}
	}
}

func TestFilesThatAreTooLargeOrMove(t *testing.T) {
	for _, c := range []struct{ name, text, message string }{
		{"x.json", "[" + strings.Repeat(" ", 16<<20) + "]", "larger than 16 MiB"},
		{"x.json", "[" + strings.Repeat(" ", 15<<20) + "]", ""},
		{"x.yaml", strings.Repeat("#\n", 2<<20) + "[]\n", "write it in JSON"},
	} {
		_, _, err := readText(t, c.name, c.text)
		if (err == nil) != (c.message == "") || err != nil && !strings.Contains(err.Error(), c.message) {
			t.Errorf("%s of %d bytes: %v; wanted is an error about %q", c.name, len(c.text), err, c.message)
		}
	}
	// What it holds is more than its size says: as if it had grown while it was read.
	path := filepath.Join(t.TempDir(), "x.json")
	link(t, "/proc/self/status", path)
	if _, err := open(t, path).Read(t.Context(), discovery.Want{}); err == nil || !strings.Contains(err.Error(), "changed while") {
		t.Errorf("a file that moves: %v", err)
	}
}

// Files come from anywhere: reading one gives records that may enter the state, or an error, and never panics.
func FuzzRead(f *testing.F) {
	f.Add([]byte(`[{"cluster": "a", "nodes": [{"id": "a", "address": "h", "port": 1}]}]`), true)
	f.Add([]byte("- cluster: a\n  nodes:\n  - &x {id: a, address: h, port: 1}\n- targets: [h:1]\n  labels: {cluster: b}\n"), false)
	f.Fuzz(func(t *testing.T, text []byte, json bool) {
		name := map[bool]string{true: "x.json", false: "x.yaml"}[json]
		records, _, err := readText(t, name, string(text))
		if err != nil && records != nil {
			t.Error("an error came with records")
		}
		for _, r := range records {
			if err := r.Check(); err != nil {
				t.Error(err)
			}
		}
	})
}
