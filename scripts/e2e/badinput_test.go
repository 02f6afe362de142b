package e2e_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	httpd "github.com/musterhq/muster/http"
	"github.com/musterhq/muster/scripts/rig"
)

const (
	inJSON   = "application/json"
	wellKept = `"backend": "file", "config": {"files": ["/etc/muster/*.json"]}`
)

// badRequests are requests that must be refused, each with its status, the field that is named, and words of the message that
// say what would be right.
var badRequests = []struct {
	name         string
	method, path string
	kind, body   string
	status       int
	field, words string
}{
	{"unknown key", "PUT", "/v1/discovery/d", inJSON, `{` + wellKept + `, "intervall": "2s"}`, 400, "intervall", `"interval"`},
	{"unknown key within", "PUT", "/v1/discovery/d", inJSON, `{` + wellKept + `, "refresh": {"timout": "1s"}}`, 400, "refresh.timout", `"timeout"`},
	{"key in capitals", "PUT", "/v1/discovery/d", inJSON, `{` + wellKept + `, "Interval": "2s"}`, 400, "Interval", `"interval"`},
	{"key twice", "PUT", "/v1/discovery/d", inJSON, `{` + wellKept + `, "on": "any", "on": "peer-a"}`, 400, "on", "twice"},
	{"number for a duration", "PUT", "/v1/discovery/d", inJSON, `{` + wellKept + `, "interval": 5}`, 400, "interval", "not 5"},
	{"text for a truth", "PUT", "/v1/discovery/d", inJSON, `{` + wellKept + `, "enabled": "yes"}`, 400, "enabled", "true or false"},
	{"list for an object", "PUT", "/v1/discovery/d", inJSON, `{` + wellKept + `, "refresh": []}`, 400, "refresh", "object"},
	{"no duration", "PUT", "/v1/discovery/d", inJSON, `{` + wellKept + `, "interval": "soon"}`, 400, "interval", "30s"},
	{"negative duration", "PUT", "/v1/discovery/d", inJSON, `{` + wellKept + `, "missing_after": "-1s"}`, 400, "missing_after", "30s"},
	{"too short an interval", "PUT", "/v1/discovery/d", inJSON, `{` + wellKept + `, "interval": "10ms"}`, 400, "interval", "1s"},
	{"too short a refresh", "PUT", "/v1/discovery/d", inJSON, `{` + wellKept + `, "refresh": {"interval": "1ms"}}`, 400, "refresh.interval", "1s"},
	{"no percentage", "PUT", "/v1/discovery/d", inJSON, `{` + wellKept + `, "max_shrink": "130%"}`, 400, "max_shrink", "100%"},
	{"unknown word", "PUT", "/v1/discovery/d", inJSON, `{` + wellKept + `, "admission": "perhaps"}`, 400, "admission", `"manual"`},
	{"bad filter", "PUT", "/v1/discovery/d", inJSON, `{` + wellKept + `, "filter": "meta.env =="}`, 400, "filter", ""},
	{"filter over nothing", "PUT", "/v1/discovery/d", inJSON, `{` + wellKept + `, "filter": "nope == 1"}`, 400, "filter", "nope"},
	{"bad template", "PUT", "/v1/discovery/d", inJSON, `{` + wellKept + `, "cluster": "{{.cluster"}`, 400, "cluster", ""},
	{"template over nothing", "PUT", "/v1/discovery/d", inJSON, `{` + wellKept + `, "cluster": "{{.nope}}"}`, 400, "cluster", "nope"},
	{"template with a loop", "PUT", "/v1/discovery/d", inJSON, `{` + wellKept + `, "cluster": "{{range .tags}}x{{end}}"}`, 400, "cluster", ""},
	{"unknown backend", "PUT", "/v1/discovery/d", inJSON, `{"backend": "etcd"}`, 400, "backend", "consul"},
	{"no backend", "PUT", "/v1/discovery/d", inJSON, `{}`, 400, "backend", "consul"},
	{"unknown prober", "PUT", "/v1/discovery/d", inJSON, `{` + wellKept + `, "refresh": {"prober": "oracle"}}`, 400, "refresh.prober", "redis"},
	{"unknown config", "PUT", "/v1/discovery/d", inJSON, `{"backend": "file", "config": {"file": ["/x"]}}`, 400, "config.file", `"files"`},
	{"relative file", "PUT", "/v1/discovery/d", inJSON, `{"backend": "file", "config": {"files": ["x.json"]}}`, 400, "config.files.0", ""},
	{"secret of a source", "PUT", "/v1/discovery/d", inJSON, `{"backend": "consul", "config": {"token": "` + secret + `"}}`, 400, "config.token", "token_file"},
	{"secret in an address", "PUT", "/v1/discovery/d", inJSON, `{"backend": "consul", "config": {"address": "http://me:` + secret + `@consul:8500"}}`, 400, "config.address", "token"},
	{"secret of nodes", "PUT", "/v1/discovery/d", inJSON, `{` + wellKept + `, "refresh": {"prober": "redis", "config": {"password": "` + secret + `"}}}`, 400, "refresh.config.password", "password_file"},
	{"control character in a name", "PUT", "/v1/discovery/a%07b", inJSON, `{` + wellKept + `}`, 400, "name", "print"},
	{"too long a name", "PUT", "/v1/discovery/" + strings.Repeat("n", 254), inJSON, `{` + wellKept + `}`, 400, "name", "253"},
	{"slash in a name", "PUT", "/v1/discovery/a%2Fb", inJSON, `{` + wellKept + `}`, 400, "name", "/"},
	{"another name", "PUT", "/v1/discovery/d", inJSON, `{"name": "e", ` + wellKept + `}`, 400, "name", ""},
	{"no JSON", "PUT", "/v1/discovery/d", inJSON, `backend = "file"`, 400, "body", "JSON"},
	{"no body", "PUT", "/v1/discovery/d", inJSON, ``, 400, "body", "JSON"},
	{"two values", "PUT", "/v1/discovery/d", inJSON, `{` + wellKept + `}{}`, 400, "body", ""},
	{"no UTF-8", "PUT", "/v1/discovery/d", inJSON, "{" + wellKept + ", \"on\": \"\xff\"}", 400, "body", "UTF-8"},
	{"nesting without end", "PUT", "/v1/discovery/d", inJSON, `{` + wellKept + `, "refresh": {"config": ` + strings.Repeat(`{"a":`, 99) + `1` + strings.Repeat(`}`, 99) + `}}`, 400, "", "deep"},
	{"another type", "PUT", "/v1/discovery/d", "text/plain", `{` + wellKept + `}`, 415, "", "application/json"},
	{"too large", "PUT", "/v1/discovery/d", inJSON, `{"filter": "` + strings.Repeat("x", 1<<20) + `"}`, 413, "", "1048576"},
	{"bad cas", "PUT", "/v1/discovery/d?cas=first", inJSON, `{` + wellKept + `}`, 400, "cas", "number"},
	{"unknown parameter", "GET", "/v1/clusters?limt=3", "", "", 400, "limt", `"limit"`},
	{"parameter twice", "GET", "/v1/clusters?limit=3&limit=4", "", "", 400, "limit", ""},
	{"too large a page", "GET", "/v1/clusters?limit=1001", "", "", 400, "limit", "1000"},
	{"bad index", "GET", "/v1/clusters?index=-1", "", "", 400, "index", "number"},
	{"bad wait", "GET", "/v1/clusters?index=1&wait=long", "", "", 400, "wait", "30s"},
	{"bad list filter", "GET", "/v1/clusters?filter=healht+==+down", "", "", 400, "filter", "healht"},
	{"both ways to read", "GET", "/v1/clusters?stale&consistent", "", "", 400, "stale", ""},
	{"token in the URL", "GET", "/v1/clusters?token=" + secret, "", "", 400, "token", "X-Muster-Token"},
	{"bad cursor", "GET", "/v1/events?after=yesterday", "", "", 400, "after", ""},
	{"cursor of another group", "GET", "/v1/events?after=01JD00000000000000000000AA:7", "", "", 410, "oldest", ""},
	{"bad since", "GET", "/v1/events?since=yesterday", "", "", 400, "since", ""},
	{"unknown lifecycle", "POST", "/v1/nodes/transition", inJSON, `{"to": "retired", "nodes": ["a/b"]}`, 400, "to", "maintenance"},
	{"node without a cluster", "POST", "/v1/nodes/transition", inJSON, `{"to": "maintenance", "nodes": ["b"]}`, 400, "", "/"},
	{"too many nodes", "POST", "/v1/nodes/transition", inJSON, `{"to": "maintenance", "nodes": ["a/b"` + strings.Repeat(`,"a/b"`, 500) + `]}`, 413, "", "500"},
	{"no such cluster", "PATCH", "/v1/cluster/nope", inJSON, `{"group": "x"}`, 404, "", "nope"},
	{"unknown setting", "PUT", "/v1/settings", inJSON, `{"voter": 3}`, 400, "voter", `"voters"`},
	{"too many voters", "PUT", "/v1/settings", inJSON, `{"voters": 4000}`, 400, "voters", ""},
	{"no such method", "POST", "/v1/clusters", inJSON, `{}`, 405, "", "GET"},
	{"no such path", "GET", "/v1/nope", "", "", 404, "", "/v1/nope"},
}

const secret = "s3cr3t-of-mine"

// badFiles are files that `muster discovery apply` must refuse, with words of its message.
var badFiles = []struct{ name, file, text, words string }{
	{"unknown key in HCL", "a.hcl", "discovery \"d\" {\n  backend = \"file\"\n  config { files = [\"/x\"] }\n  intervall = \"2s\"\n}\n", "intervall"},
	{"wrong type in HCL", "b.hcl", "discovery \"d\" {\n  backend = \"file\"\n  config { files = [\"/x\"] }\n  enabled = \"perhaps\"\n}\n", "enabled"},
	{"cut short", "c.hcl", "discovery \"d\" {\n  backend = \"file\"\n", "c.hcl"},
	{"no block of ours", "d.hcl", "service \"d\" {\n}\n", "service"},
	{"bad duration in JSON", "e.json", `{"name": "d", ` + wellKept + `, "interval": "soon"}`, "interval"},
	{"no name in JSON", "f.json", `{` + wellKept + `}`, "name"},
	{"twice in one file", "g.json", `[{"name": "d", ` + wellKept + `}, {"name": "d", ` + wellKept + `}]`, `"d"`},
	{"secret", "h.hcl", "discovery \"d\" {\n  backend = \"consul\"\n  config { token = \"" + secret + "\" }\n}\n", "token_file"},
}

// TestBadInput shows that what is wrong is refused with words that name it, and that nothing of it is stored.
func TestBadInput(t *testing.T) {
	w := newWorld(t)
	p := w.dev()
	before := w.lastCursor(p)

	for _, c := range badRequests {
		t.Run(c.name, func(t *testing.T) {
			got := w.inside(t).ask(p, c.method, c.path, c.kind, c.body)
			_, named := got.fields[c.field]
			if got.status != c.status || c.field != "" && !named || !strings.Contains(got.message, c.words) {
				t.Errorf("got %d %s, fields %v: %.200s\nwant %d, the field %q, and %q", got.status, got.code, got.fields, got.message,
					c.status, c.field, c.words)
			}
			if strings.Contains(got.message+fmt.Sprint(got.fields), secret) {
				t.Errorf("the answer repeats the secret: %s", got.message)
			}
		})
	}
	for _, c := range badFiles {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(w.rig.Dir, c.file)
			if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			got := w.inside(t).muster("discovery", "apply", path, at(p.HTTP))
			if got.code != 1 || !strings.Contains(got.stderr, c.words) || !strings.Contains(got.stderr, c.file) || got.stdout != "" {
				t.Errorf("exit %d, stdout %q, stderr %q; want exit 1 and %q with the file", got.code, got.stdout, got.stderr, c.words)
			}
			if strings.Contains(got.stderr, secret) {
				t.Errorf("the message repeats the secret: %s", got.stderr)
			}
		})
	}
	for _, args := range [][]string{
		{"cluster", "list", "-filter", "healht == down"},
		{"cluster", "show", "nope"},
		{"node", "maintenance", "nope/nope"},
		{"event", "list", "-after", "yesterday"},
		{"cluster", "lst"},
		{"cluster", "list", "-formt=json"},
		{"cluster", "list", "-format=xml"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			got := w.inside(t).muster(append(args, at(p.HTTP))...)
			if got.code != 1 || got.stderr == "" || got.stdout != "" {
				t.Errorf("exit %d, stdout %q, stderr %q; want exit 1 and a message", got.code, got.stdout, got.stderr)
			}
		})
	}

	if after := w.lastCursor(p); after != before {
		t.Errorf("refused requests made events: the last was %s, now it is %s", before, after)
	}
	w.bareRoll(p)
}

// bareRoll fails the test when anything is stored.
func (w *world) bareRoll(p *rig.Peer) {
	w.Helper()
	roll, err := readRoll(w.soon(), p)
	w.must(err)
	if len(roll.Discoveries) != 0 || len(roll.Clusters) != 0 {
		w.Errorf("stored are %d discoveries and %d clusters; want none", len(roll.Discoveries), len(roll.Clusters))
	}
}

// TestBadFile shows that a source with a node listed twice, or cut short, fails as a whole: nothing new of it is taken in
// and nothing is taken away.
func TestBadFile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.dev()
	node := func(id string) object { return object{"id": id, "address": "127.0.0.1", "port": 9} }
	list := func(nodes ...object) []object { return []object{{"cluster": "orders", "nodes": nodes}} }
	path := w.write("orders.json", list(node("orders-1"), node("orders-2")))
	w.apply(p, "orders", object{
		"backend": "file", "config": object{"files": []string{path}}, "interval": "1s", "missing_after": "0s", "remove_after": "0s",
		"refresh": object{"enabled": false},
	})
	has := func(ids ...string) func(context.Context) error {
		return func(ctx context.Context) error {
			c, _, err := p.API.Cluster(ctx, "orders", httpd.Read{})
			if err == nil && (len(c.Nodes) != len(ids) || nodeOf(c, ids[len(ids)-1]).ID == "") {
				err = fmt.Errorf("there are %d nodes, want %v", len(c.Nodes), ids)
			}
			return err
		}
	}
	w.until("two nodes", has("orders-1", "orders-2"))
	for _, c := range []struct{ name, text, words string }{
		{"a node twice", `[{"cluster": "orders", "nodes": [{"id": "x", "address": "127.0.0.1", "port": 9}, {"id": "x", "address": "127.0.0.1", "port": 10}]}]`, "twice"},
		{"cut short", `[{"cluster": "orders", "nodes": [{"id": "orders-3", "addr`, "orders.json"},
		{"an unknown key", `[{"cluster": "orders", "nodes": [{"id": "x", "adress": "127.0.0.1", "port": 9}]}]`, "adress"},
		{"a name too long", `[{"cluster": "` + strings.Repeat("o", 254) + `", "nodes": [{"id": "x", "address": "127.0.0.1", "port": 9}]}]`, "253"},
		{"a control character", `[{"cluster": "orders", "nodes": [{"id": "x\u0007", "address": "127.0.0.1", "port": 9}]}]`, "print"},
		{"nothing", ``, "orders.json"},
	} {
		w.must(os.WriteFile(path, []byte(c.text), 0o600))
		w.until(c.name+" to fail the run", func(ctx context.Context) error {
			d, _, err := p.API.Discovery(ctx, "orders", httpd.Read{})
			if err == nil && (d.LastRun.Outcome != "failed" || !strings.Contains(d.LastRun.Error, c.words)) {
				err = fmt.Errorf("the last run: %s, %q; wanted is %q", d.LastRun.Outcome, d.LastRun.Error, c.words)
			}
			return err
		})
		w.must(has("orders-1", "orders-2")(w.soon()))
	}
	w.write("orders.json", list(node("orders-1"), node("orders-2"), node("orders-3")))
	w.until("three nodes", has("orders-1", "orders-2", "orders-3"))
}

// dev starts one peer in memory.
func (w *world) dev() *rig.Peer {
	w.Helper()
	g, err := w.rig.Group(w.soon(), program, 0)
	w.must(err)
	p, err := g.Add("dev")
	w.must(err)
	p.Process, err = w.rig.Start(p.Name, program, "agent", "-dev", "-name", p.Name,
		"-http-addr", p.HTTP, "-peer-addr", p.Port, "-gossip-addr", p.Gossip)
	w.must(err)
	w.must(g.Ready(w.soon()))
	return p
}
